"""Which Kafka the local stack runs: Apache's, a given one, or the one in memory."""

from gamemetrics.stack.ports import HOST, is_free
from gamemetrics.stack.processes import is_alive, wait_until
from tests.services import Stack
from tests.stack_probes import PATIENCE_SECONDS, comes_back, keep_a_message, kept_messages, kill, up


def test_the_fallback_broker_carries_messages_and_says_what_it_is(fresh: Stack) -> None:
    told = up(fresh, "kafka", STACK_KAFKA="fallback")
    assert "keeps messages in memory only" in told
    keep_a_message(fresh, b"from cyd")
    assert kept_messages(fresh) == [b"from cyd"]


def test_a_given_kafka_is_used_and_none_is_run(running: Stack, fresh: Stack) -> None:
    given = running.env["KAFKA_BOOTSTRAP_SERVERS"]
    up(fresh, "kafka", KAFKA_BOOTSTRAP_SERVERS=given, KAFKA_TOPIC="somebody.else")
    assert fresh.env["KAFKA_BOOTSTRAP_SERVERS"] == given
    assert not fresh.layout.pid_file("kafka").exists()
    assert is_free(int(fresh.environ["KAFKA_PORT"]))


def test_an_environment_sourced_from_a_stopped_stack_does_not_replace_its_kafka(
    fresh: Stack,
) -> None:
    own = f"{HOST}:{fresh.environ['KAFKA_PORT']}"
    up(fresh, "kafka", KAFKA_BOOTSTRAP_SERVERS=own)
    assert is_alive(fresh.pid("kafka"))


def without_java(stack: Stack, **more: str) -> Stack:
    return Stack(environ={**stack.environ, "PATH": str(stack.dir), "JAVA_HOME": "", **more})


def test_without_java_the_fallback_broker_runs_and_says_why(fresh: Stack) -> None:
    told = up(without_java(fresh, CI=""), "kafka")
    assert "in memory only (Apache Kafka needs Java 17 or later: no java on PATH)" in told


def test_without_java_ci_fails(fresh: Stack) -> None:
    refused = without_java(fresh, CI="true").command("up", "--only", "kafka")
    assert refused.returncode == 1
    assert "needs Java 17 or later" in refused.stderr


def test_applications_are_told_where_a_restarted_fallback_broker_answers(fresh: Stack) -> None:
    """It keeps neither its port nor its messages, so the next `up` hands the new address on."""
    broker = without_java(fresh, CI="")
    up(broker, "kafka")
    before = broker.env["KAFKA_BOOTSTRAP_SERVERS"]
    killed = kill(broker, "kafka")
    assert comes_back(broker, "kafka", killed)
    file = broker.layout.kafka / "address"
    assert wait_until(lambda: file.read_text() != before, seconds=PATIENCE_SECONDS)
    up(broker, "kafka")
    assert broker.env["KAFKA_BOOTSTRAP_SERVERS"] == file.read_text()
