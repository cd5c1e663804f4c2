"""librdkafka's in-process broker as a process: `python -m gamemetrics.stack.fallback_broker FILE`.

For machines without Java or Maven. It speaks Kafka's protocol, groups and commits included, but
keeps about 5 MB a partition and in memory only, chooses its own port, gives every topic four
partitions when it is first named, and knows neither SASL nor `create_topics`.
"""

import signal
import sys
from pathlib import Path

from confluent_kafka import Producer


def main() -> None:
    address_file = Path(sys.argv[1])
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    owner = Producer({"test.mock.num.brokers": 1})
    (broker,) = owner.list_topics(timeout=10).brokers.values()
    beside = address_file.with_suffix(".new")
    beside.write_text(f"{broker.host}:{broker.port}")
    beside.replace(address_file)
    signal.sigwait(signals)


if __name__ == "__main__":
    main()
