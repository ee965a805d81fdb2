import argparse


def database_option(arguments: list[str]) -> str:
    """
    The value of `--database`: postgres or sqlite.

    Django's settings need it before pytest parses its options.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--database", default="postgres")
    return parser.parse_known_args(arguments)[0].database
