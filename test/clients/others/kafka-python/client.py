"""kafka-python produces, consumes, joins groups and uses its admin calls.

Usage: python client.py BOOTSTRAP[,...] PREFIX. Prints a line per step; ends with 1 at the first that fails.
"""
import sys
import threading
import time
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import (
    AlterConfigOp,
    ConfigResource,
    MemberToRemove,
    OffsetSpec,
    OffsetTimestamp,
)
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

sys.path.append(str(Path(__file__).parent.parent))
from step import refused, step, until  # noqa: E402

BOOTSTRAP, PREFIX = sys.argv[1].split(","), sys.argv[2]
TOPIC = f"{PREFIX}-topic"
PARTITIONS = 4
RECORDS = 400
COMMON = {"bootstrap_servers": BOOTSTRAP, "client_id": f"{PREFIX}-client"}
partition = lambda number: TopicPartition(TOPIC, number)  # noqa: E731


def produce(first, count, codec):
    producer = KafkaProducer(**COMMON, acks="all", enable_idempotence=True, compression_type=codec)
    sent = [
        producer.send(
            TOPIC,
            partition=number % PARTITIONS,
            key=f"key {number}".encode(),
            value=str(number).encode(),
            headers=[("from", b"kafka-python")],
        )
        for number in range(first, first + count)
    ]
    for future in sent:
        future.get(timeout=20)
    producer.close()


class Member:
    """Reads as a member of a group in a thread, and commits."""

    def __init__(self, group, assignor, **extra):
        self.values = set()
        self.owned = set()
        self.error = None
        self._is_ending = False
        self._consumer = KafkaConsumer(
            TOPIC,
            **COMMON,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=200,
            fetch_max_wait_ms=100,
            partition_assignment_strategy=[assignor],
            **extra,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._is_ending:
            try:
                for records in self._consumer.poll(timeout_ms=100).values():
                    for record in records:
                        assert record.headers == [("from", b"kafka-python")]
                        self.values.add(int(record.value))
                self._consumer.commit()
            except KafkaError as error:
                self.error = error  # a rebalance in between
            self.owned = {each.partition for each in self._consumer.assignment()}
        self._consumer.close(autocommit=False)

    def end(self):
        self._is_ending = True
        self._thread.join()


def is_shared(*members):
    sizes = {len(each.owned) for each in members}
    return sizes == {PARTITIONS // len(members)} and len(
        set().union(*(each.owned for each in members))
    ) == PARTITIONS


def has_read(until_number, *members):
    return set().union(*(each.values for each in members)) >= set(range(until_number))


admin = KafkaAdminClient(**COMMON)


def committed(group):
    offsets = admin.list_group_offsets(group)[group]
    return [offsets[partition(number)].offset for number in range(PARTITIONS)]


def share_a_group(group, first, assignor, codec):
    one = Member(group, assignor)
    until("all partitions and records", lambda: is_shared(one) and has_read(first, one))
    two = Member(group, assignor)
    until("a share each", lambda: is_shared(one, two))
    described = admin.describe_groups([group])[group]
    assert len(described["members"]) == 2, described
    produce(first, RECORDS, codec)
    until("the next records", lambda: has_read(first + RECORDS, one, two))
    one.end()
    until("all partitions of who left", lambda: is_shared(two))
    two.end()
    assert committed(group) == [(first + RECORDS) // PARTITIONS] * PARTITIONS, committed(group)


@step("the cluster, and its features")
def _():
    cluster = admin.describe_cluster()
    assert len(cluster["brokers"]) > 0 and cluster["cluster_id"]
    print(f"   {admin.describe_features()}")


@step("create, list and describe topics")
def _():
    wanted = {
        TOPIC: {"num_partitions": 2, "replication_factor": 1, "configs": {"retention.ms": "86400000"}}
    }
    admin.create_topics(wanted, validate_only=True)
    admin.create_topics(wanted, wait_for_metadata=True)
    refused(lambda: admin.create_topics(wanted), "already exists")
    assert TOPIC in admin.list_topics()
    admin.create_partitions({TOPIC: PARTITIONS})
    refused(lambda: admin.create_partitions({TOPIC: 1}), "partitions")
    described = admin.describe_topics([TOPIC])[0]
    assert len(described["partitions"]) == PARTITIONS, described
    page = admin.describe_topic_partitions([TOPIC], response_partition_limit=3)
    rest = admin.describe_topic_partitions([TOPIC], cursor=page["next_cursor"])
    assert len(page["topics"][0]["partitions"]) == 3 and len(rest["topics"][0]["partitions"]) == 1


@step("produce idempotently, with every codec")
def _():
    for index, codec in enumerate([None, "gzip", "lz4", "snappy"]):
        produce(index * RECORDS, RECORDS, codec)


PRODUCED = 4 * RECORDS


@step("consume without a group, from the middle of a batch")
def _():
    consumer = KafkaConsumer(**COMMON, consumer_timeout_ms=5000)
    consumer.assign([partition(1)])
    consumer.seek(partition(1), 7)
    for offset in range(7, PRODUCED // PARTITIONS):
        record = next(consumer)
        assert record.offset == offset and int(record.value) == 4 * offset + 1, record
    ends = consumer.end_offsets([partition(0)])
    times = consumer.offsets_for_times({partition(0): 1})
    assert ends[partition(0)] == PRODUCED // PARTITIONS and times[partition(0)].offset == 0
    consumer.close()


@step("an eager group of two")
def _():
    share_a_group(f"{PREFIX}-eager", PRODUCED, RangePartitionAssignor, "zstd")


@step("a cooperative group of two")
def _():
    share_a_group(f"{PREFIX}-cooperative", PRODUCED + RECORDS, CooperativeStickyAssignor, None)


ENDS = (PRODUCED + 2 * RECORDS) // PARTITIONS


@step("a static member comes back, and is removed")
def _():
    group, instance = f"{PREFIX}-static", f"{PREFIX}-instance"
    for _ in range(2):
        member = Member(group, RangePartitionAssignor, group_instance_id=instance)
        until("all partitions", lambda: is_shared(member))
        member.end()
    assert len(admin.describe_groups([group])[group]["members"]) == 1
    removed = admin.remove_group_members(group, [MemberToRemove(None, instance, None)])
    assert [error.errno for error in removed.values()] == [0], removed
    assert admin.describe_groups([group])[group]["members"] == []


@step("list offsets")
def _():
    at = lambda spec: admin.list_partition_offsets({partition(1): spec})[partition(1)].offset  # noqa: E731
    assert at(OffsetSpec.EARLIEST) == 0
    assert at(OffsetSpec.LATEST) == ENDS
    assert at(OffsetTimestamp(1)) == 0
    assert at(OffsetSpec.MAX_TIMESTAMP) > 0


@step("describe and alter configs of topics, brokers and groups")
def _():
    def value(kind, name, key):
        resource = ConfigResource(kind, name, [key])
        found = admin.describe_configs([resource], include_synonyms=True, config_filter="all")
        return found[kind.lower()][name][key]["value"]

    def alter(kind, name, key, op, to=None, **extra):
        resource = ConfigResource(kind, name, {key: (op, to)})
        return admin.alter_configs([resource], **extra)

    assert value("TOPIC", TOPIC, "retention.ms") == "86400000"
    alter("TOPIC", TOPIC, "cleanup.policy", AlterConfigOp.APPEND, "compact")
    assert value("TOPIC", TOPIC, "cleanup.policy") == "delete,compact"
    alter("TOPIC", TOPIC, "cleanup.policy", AlterConfigOp.SUBTRACT, "compact")
    assert value("TOPIC", TOPIC, "cleanup.policy") == "delete"
    admin.reset_configs([ConfigResource("TOPIC", TOPIC, ["retention.ms"])])
    assert value("TOPIC", TOPIC, "retention.ms") == "604800000"
    alter("TOPIC", TOPIC, "flush.messages", AlterConfigOp.SET, "10", incremental=False)
    assert value("TOPIC", TOPIC, "flush.messages") == "10"
    print(f"   {alter('TOPIC', TOPIC, 'no.such', AlterConfigOp.SET, '1', raise_on_unknown=False)}")
    alter("BROKER", "1", "message.max.bytes", AlterConfigOp.SET, "2000000", raise_on_unknown=False)
    assert value("BROKER", "1", "message.max.bytes") == "2000000"
    alter("GROUP", f"{PREFIX}-eager", "consumer.session.timeout.ms", AlterConfigOp.SET, "50000")
    assert value("GROUP", f"{PREFIX}-eager", "consumer.session.timeout.ms") == "50000"
    listed = admin.list_config_resources(["TOPIC", "GROUP"])
    assert TOPIC in listed["topic"] and f"{PREFIX}-eager" in listed["group"], listed


@step("list groups, and alter, reset and delete their offsets")
def _():
    names = lambda **how: sorted(  # noqa: E731
        each["group_id"] for each in admin.list_groups(**how) if each["group_id"].startswith(PREFIX)
    )
    both = [f"{PREFIX}-{kind}" for kind in ("cooperative", "eager")]
    assert names() == [*both, f"{PREFIX}-static"], names()
    assert names(states_filter=["Stable"]) == [] and names(types_filter=["classic"]) == names()
    group, read = f"{PREFIX}-eager", (PRODUCED + RECORDS) // PARTITIONS
    admin.alter_group_offsets(group, {partition(2): OffsetAndMetadata(5, "said so", -1)})
    stored = admin.list_group_offsets({group: [partition(2)]})[group][partition(2)]
    assert (stored.offset, stored.metadata) == (5, "said so"), stored
    admin.reset_group_offsets(group, {partition(2): OffsetSpec.EARLIEST, partition(3): 10**9})
    assert committed(group) == [read, read, 0, ENDS], committed(group)
    deleted = admin.delete_group_offsets(group, [partition(2)])
    assert deleted[partition(2)].errno == 0, deleted
    assert partition(2) not in admin.list_group_offsets(group)[group]


@step("delete records")
def _():
    deleted = admin.delete_records({partition(0): 7})
    assert deleted[partition(0)]["low_watermark"] == 7, deleted
    refused(lambda: admin.delete_records({partition(0): 10**9}), "range")


@step("describe producers")
def _():
    producers = admin.describe_producers([partition(0)])[partition(0)]
    assert len(producers.active_producers) > 0, producers


@step("what is not there yet is refused: transactions, log directories, the quorum")
def _():
    producer = KafkaProducer(**COMMON, transactional_id=f"{PREFIX}-id", max_block_ms=10000)
    start = time.monotonic()
    print(f"   transactions: {refused(producer.init_transactions, 'TransactionalId')}")
    assert time.monotonic() - start < 5
    producer.close(timeout=1)
    print(f"   log directories: {refused(admin.describe_log_dirs, 'not support')}")
    print(f"   quorum: {refused(admin.describe_metadata_quorum, 'version')}")


@step("delete groups and topics")
def _():
    deleted = admin.delete_groups([f"{PREFIX}-{kind}" for kind in ("eager", "cooperative", "static")])
    print(f"   {deleted}")
    admin.delete_topics([TOPIC])
    refused(lambda: admin.delete_topics([TOPIC]), "unknown")


admin.close()
