"""What can be tested without the load generator; `make bench` itself checks every contender's responses."""

from pathlib import Path

from tests.benchmarks.contenders import describe_gunicorn
from tests.benchmarks.measure import Sample, parse_wrk
from tests.benchmarks.nginx import configuration
from tests.benchmarks.report import details, markdown, ratio


def sample(contender, rate, number=0, rows=1000, fair=True):
    return Sample(
        rows=rows,
        operation="get",
        contender=contender,
        round=number,
        rate=rate,
        p50=1,
        p99=2,
        errors=0,
        server_cpu=0.5,
        postgres_cpu=0.1,
        nginx_cpu=0,
        idle=0,
        other=0,
        held=[8, 8],
        fair=fair,
    )


def test_the_result_is_found_in_the_output_of_wrk():
    output = 'Running 1s test\nRESULT {"requests":200,"seconds":2,"p50":1.5,"p99":9,"errors":0}\n'
    assert parse_wrk(output) == {"requests": 200, "seconds": 2, "p50": 1.5, "p99": 9, "errors": 0}


def test_no_result_is_an_error_and_no_speed():
    result = parse_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")
    assert (result["requests"], result["errors"]) == (0, 1)


def test_rates_are_compared_within_a_round():
    # A machine that was slow in the second round was slow for both.
    samples = [sample("service", 200, 0), sample("bare", 100, 0), sample("service", 20, 1), sample("bare", 10, 1)]
    assert ratio(samples, "service", "bare") == 2


def test_an_unfair_sample_counts_only_where_there_is_no_other():
    unfair = [sample("service", 200, 0), sample("bare", 1, 0, fair=False)]
    assert ratio(unfair, "service", "bare") == 200
    assert ratio([*unfair, sample("service", 30, 1), sample("bare", 10, 1)], "service", "bare") == 3


def test_the_table_names_each_server_and_has_a_value_for_each_number_of_rows():
    samples = [sample("service", 10, rows=1_000_000), sample("service", 2000, rows=1000)]
    table = markdown(samples, {"service": "gunicorn gthread 2x2"}, lambda sample: sample.rate, ",.0f")
    assert table.splitlines()[2] == "| **this service** | gunicorn gthread 2x2 | 2,000 / 10 |"


def test_details_say_how_many_samples_were_unfair():
    assert details([sample("service", 10), sample("service", 10, 1, fair=False)]).endswith("8:8    1 unfair")


def test_the_server_is_described_by_its_own_settings():
    printed = "threads                           = 2\nworkers    = 4\n"
    assert describe_gunicorn(printed) == "gunicorn gthread 4x2"


def test_nginx_is_configured_by_the_template_of_the_deployment():
    text = configuration(Path("/home"), 8081, "127.0.0.1:8082")
    assert "listen 127.0.0.1:8081 " in text
    assert "127.0.0.1:8082;" in text
    assert "gzip_types application/json" in text
    for absent in ("${", "/tmp/", "/var/", "unix:"):
        assert absent not in text
