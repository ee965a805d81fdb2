"""s3rver: a server that speaks the protocol of S3. It checks the name of a key, but no signature of version 4."""

from pathlib import Path

from tests.helpers.proxies import Process
from tests.helpers.servers import ROOT, free_port

S3RVER = ROOT / "tests/e2e/node_modules/.bin/s3rver"
KEY = SECRET = "S3RVER"


class S3(Process):
    """Has one bucket, whose objects are files in `home`."""

    def __init__(self, home: Path, bucket: str, *options: str | Path, host: str = "127.0.0.1") -> None:
        self.home, self.bucket, self.port = home, bucket, free_port()
        (home / "s3").mkdir()
        where = ("--directory", home / "s3", "--address", host, "--port", str(self.port))
        super().__init__([S3RVER, *where, *options, "--configure-bucket", bucket], self.port, home / "s3.log", host)

    def objects(self) -> set[str]:
        folder, end = self.home / "s3" / self.bucket, "._S3rver_object"
        return {str(file.relative_to(folder)).removesuffix(end) for file in folder.rglob(f"*{end}")}
