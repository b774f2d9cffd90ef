"""confluent-kafka (the newest librdkafka, in a wheel) produces, consumes, joins groups and uses its admin calls.

Usage: python client.py BOOTSTRAP[,...] PREFIX. Prints a line per step; ends with 1 at the first that fails.
"""
import os
import sys
import threading
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    ElectionType,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

sys.path.append(str(Path(__file__).parent.parent))
from step import refused, step, until  # noqa: E402

BOOTSTRAP, PREFIX = sys.argv[1], sys.argv[2]
TOPIC = f"{PREFIX}-topic"
PARTITIONS = 4
RECORDS = 400
COMMON = {"bootstrap.servers": BOOTSTRAP, "client.id": f"{PREFIX}-client"}
partition = lambda number, *offset: TopicPartition(TOPIC, number, *offset)  # noqa: E731

admin = AdminClient(COMMON)


def all_of(futures):
    return {key: future.result(timeout=20) for key, future in futures.items()}


def produce(first, count, codec):
    producer = Producer({**COMMON, "enable.idempotence": True, "compression.type": codec})
    failed = []
    for number in range(first, first + count):
        producer.produce(
            TOPIC,
            partition=number % PARTITIONS,
            key=f"key {number}",
            value=str(number),
            headers={"from": b"confluent-kafka"},
            on_delivery=lambda error, _: failed.append(error) if error is not None else None,
        )
    assert producer.flush(20) == 0 and failed == [], failed


class Member:
    """Reads as a member of a group in a thread, and commits."""

    def __init__(self, group, strategy, **extra):
        self.values = set()
        self.owned = set()
        self._is_ending = False
        self._consumer = Consumer(
            {
                **COMMON,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 200,
                "fetch.wait.max.ms": 100,
                "partition.assignment.strategy": strategy,
                **extra,
            }
        )
        self._consumer.subscribe([TOPIC])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._is_ending:
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.values.add(int(message.value()))
                try:
                    self._consumer.commit(message, asynchronous=False)
                except KafkaException:
                    pass  # a rebalance in between
            self.owned = {each.partition for each in self._consumer.assignment()}
        self._consumer.close()

    def end(self):
        self._is_ending = True
        self._thread.join()


def is_shared(*members):
    sizes = {len(each.owned) for each in members}
    owned = set().union(*(each.owned for each in members))
    return sizes == {PARTITIONS // len(members)} and len(owned) == PARTITIONS


def has_read(until_number, *members):
    return set().union(*(each.values for each in members)) >= set(range(until_number))


def committed(group):
    request = ConsumerGroupTopicPartitions(group)
    found = all_of(admin.list_consumer_group_offsets([request]))[group].topic_partitions
    return {each.partition: each.offset for each in found}


def share_a_group(group, first, strategy, codec):
    one = Member(group, strategy)
    until("all partitions and records", lambda: is_shared(one) and has_read(first, one))
    two = Member(group, strategy)
    until("a share each", lambda: is_shared(one, two))
    described = all_of(
        admin.describe_consumer_groups([group], include_authorized_operations=True)
    )[group]
    assert described.state == ConsumerGroupState.STABLE and len(described.members) == 2
    produce(first, RECORDS, codec)
    until("the next records", lambda: has_read(first + RECORDS, one, two))
    one.end()
    until("all partitions of who left", lambda: is_shared(two))
    two.end()
    wanted = dict.fromkeys(range(PARTITIONS), (first + RECORDS) // PARTITIONS)
    assert committed(group) == wanted, committed(group)


@step("the cluster")
def _():
    print(f"   librdkafka {confluent_kafka.libversion()[0]}")
    cluster = admin.describe_cluster(include_authorized_operations=True).result(timeout=20)
    assert len(cluster.nodes) > 0 and cluster.cluster_id and cluster.controller is not None


@step("create, list and describe topics")
def _():
    wanted = [NewTopic(TOPIC, 2, 1, config={"retention.ms": "86400000"})]
    all_of(admin.create_topics(wanted, validate_only=True))
    all_of(admin.create_topics(wanted))
    refused(lambda: all_of(admin.create_topics(wanted)), "already exists")
    all_of(admin.create_partitions([NewPartitions(TOPIC, PARTITIONS)]))
    refused(lambda: all_of(admin.create_partitions([NewPartitions(TOPIC, 1)])), "partition")
    assert TOPIC in admin.list_topics(timeout=20).topics
    described = all_of(admin.describe_topics(TopicCollection([TOPIC])))[TOPIC]
    assert len(described.partitions) == PARTITIONS and str(described.topic_id) != ""


@step("produce idempotently, with every codec")
def _():
    for index, codec in enumerate(["none", "gzip", "lz4", "snappy"]):
        produce(index * RECORDS, RECORDS, codec)


PRODUCED = 4 * RECORDS


@step("consume without a group, from the middle of a batch")
def _():
    consumer = Consumer({**COMMON, "group.id": f"{PREFIX}-none", "enable.auto.commit": False})
    consumer.assign([partition(1, 7)])
    offset = 7
    while offset < PRODUCED // PARTITIONS:
        for message in consumer.consume(100, timeout=5):
            assert message.offset() == offset and int(message.value()) == 4 * offset + 1
            offset += 1
    assert consumer.get_watermark_offsets(partition(0), timeout=5) == (0, PRODUCED // PARTITIONS)
    assert consumer.offsets_for_times([partition(0, 1)], timeout=5)[0].offset == 0
    consumer.close()


@step("an eager group of two")
def _():
    share_a_group(f"{PREFIX}-eager", PRODUCED, "range", "zstd")


@step("a cooperative group of two")
def _():
    share_a_group(f"{PREFIX}-cooperative", PRODUCED + RECORDS, "cooperative-sticky", "none")


ENDS = (PRODUCED + 2 * RECORDS) // PARTITIONS


@step("list offsets")
def _():
    def at(spec):
        wanted = admin.list_offsets(
            {partition(1): spec}, isolation_level=IsolationLevel.READ_COMMITTED
        )
        return list(all_of(wanted).values())[0].offset

    assert at(OffsetSpec.earliest()) == 0
    assert at(OffsetSpec.latest()) == ENDS
    assert at(OffsetSpec.for_timestamp(1)) == 0
    assert at(OffsetSpec.max_timestamp()) > 0


@step("describe and alter configs of topics, brokers and groups")
def _():
    def value(kind, name, key):
        return list(all_of(admin.describe_configs([ConfigResource(kind, name)])).values())[0][key].value

    def alter(kind, name, key, operation, to):
        entry = ConfigEntry(key, to, incremental_operation=operation)
        resource = ConfigResource(kind, name, incremental_configs=[entry])
        return all_of(admin.incremental_alter_configs([resource]))

    topic, broker, op = ResourceType.TOPIC, ResourceType.BROKER, AlterConfigOpType
    assert value(topic, TOPIC, "retention.ms") == "86400000"
    alter(topic, TOPIC, "cleanup.policy", op.APPEND, "compact")
    assert value(topic, TOPIC, "cleanup.policy") == "delete,compact"
    alter(topic, TOPIC, "cleanup.policy", op.SUBTRACT, "compact")
    assert value(topic, TOPIC, "cleanup.policy") == "delete"
    alter(topic, TOPIC, "retention.ms", op.DELETE, None)
    assert value(topic, TOPIC, "retention.ms") == "604800000"
    refused(lambda: alter(topic, TOPIC, "no.such.config", op.SET, "1"), "no.such.config")
    all_of(admin.alter_configs([ConfigResource(topic, TOPIC, set_config={"flush.messages": "10"})]))
    assert value(topic, TOPIC, "flush.messages") == "10"
    alter(broker, "1", "message.max.bytes", op.SET, "2000000")
    assert value(broker, "1", "message.max.bytes") == "2000000"
    alter(broker, "1", "message.max.bytes", op.DELETE, None)


@step("list groups, and alter their offsets")
def _():
    def names(**how):
        listed = admin.list_consumer_groups(**how).result(timeout=20)
        assert listed.errors == []
        found = [each.group_id for each in listed.valid]
        return sorted(each for each in found if each.startswith(PREFIX))

    both = [f"{PREFIX}-cooperative", f"{PREFIX}-eager"]
    assert names() == both, names()
    assert names(states={ConsumerGroupState.EMPTY}) == both
    assert names(states={ConsumerGroupState.STABLE}) == []
    group = f"{PREFIX}-eager"
    to = ConsumerGroupTopicPartitions(group, [partition(2, 5)])
    all_of(admin.alter_consumer_group_offsets([to]))
    assert committed(group)[2] == 5


@step("delete records")
def _():
    deleted = all_of(admin.delete_records([partition(0, 7)]))
    assert [each.low_watermark for each in deleted.values()] == [7]
    refused(lambda: all_of(admin.delete_records([partition(0, 10**9)])), "range")


@step("what is not there yet is refused: transactions, elections")
def _():
    start = time.monotonic()
    producer = Producer({**COMMON, "transactional.id": f"{PREFIX}-id"})
    print(f"   transactions: {refused(lambda: producer.init_transactions(15), 'transactional')}")
    assert time.monotonic() - start < 10
    elect = lambda: admin.elect_leaders(ElectionType.PREFERRED, [partition(0)]).result(timeout=20)  # noqa: E731
    print(f"   elections: {refused(elect, 'not support')}")


@step("delete groups and topics")
def _():
    all_of(admin.delete_consumer_groups([f"{PREFIX}-eager", f"{PREFIX}-cooperative"]))
    all_of(admin.delete_topics([TOPIC]))
    refused(lambda: all_of(admin.delete_topics([TOPIC])), "unknown topic")


sys.stdout.flush()
os._exit(0)
