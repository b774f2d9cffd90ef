"""aiokafka produces, consumes, joins groups and uses its admin calls.

Usage: python client.py BOOTSTRAP[,...] PREFIX. Prints a line per step; ends with 1 at the first that fails.
"""
import asyncio
import sys
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

sys.path.append(str(Path(__file__).parent.parent))
from step import refused, step  # noqa: E402

BOOTSTRAP, PREFIX = sys.argv[1], sys.argv[2]
TOPIC, GROUP = f"{PREFIX}-topic", f"{PREFIX}-group"
PARTITIONS = 4
RECORDS = 400
COMMON = {"bootstrap_servers": BOOTSTRAP, "client_id": f"{PREFIX}-client"}
loop = asyncio.new_event_loop()
go = loop.run_until_complete


async def with_admin(work):
    admin = AIOKafkaAdminClient(**COMMON)
    await admin.start()
    try:
        return await work(admin)
    finally:
        await admin.close()


async def produce(first):
    producer = AIOKafkaProducer(**COMMON, enable_idempotence=True, compression_type="gzip")
    await producer.start()
    sent = [
        await producer.send(TOPIC, str(number).encode(), partition=number % PARTITIONS)
        for number in range(first, first + RECORDS)
    ]
    await asyncio.gather(*sent)
    await producer.stop()


async def read(first, members):
    """Members of the group read and commit until all from `first` have come."""
    wanted = {str(number).encode() for number in range(first, first + RECORDS)}
    consumers = [
        AIOKafkaConsumer(
            TOPIC,
            **COMMON,
            group_id=GROUP,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=200,
            fetch_max_wait_ms=100,
        )
        for _ in range(members)
    ]
    await asyncio.gather(*(consumer.start() for consumer in consumers))
    seen = set()

    async def one(consumer):
        while not wanted <= seen:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                seen.update(record.value for record in records)
            if consumer.assignment():
                await consumer.commit()
        return consumer.assignment()

    assigned = await asyncio.wait_for(asyncio.gather(*map(one, consumers)), 30)
    assert {len(each) for each in assigned} == {PARTITIONS // members}, assigned
    for consumer in consumers:
        await consumer.stop()


@step("create and describe topics, add partitions")
def _():
    async def work(admin):
        await admin.create_topics(
            [NewTopic(TOPIC, 2, 1, topic_configs={"retention.ms": "86400000"})]
        )
        await admin.create_partitions({TOPIC: NewPartitions(PARTITIONS)})
        assert TOPIC in await admin.list_topics()
        described = await admin.describe_topics([TOPIC])
        assert len(described[0]["partitions"]) == PARTITIONS, described
        assert len((await admin.describe_cluster())["brokers"]) > 0

    go(with_admin(work))


@step("produce idempotently")
def _():
    go(produce(0))


@step("two members of a group")
def _():
    go(read(0, 2))


@step("the group goes on where it was")
def _():
    go(produce(RECORDS))
    go(read(RECORDS, 1))


@step("groups and their offsets")
def _():
    async def work(admin):
        assert GROUP in [name for name, *_ in await admin.list_consumer_groups()]
        await admin.describe_consumer_groups([GROUP])
        return await admin.list_consumer_group_offsets(GROUP)

    offsets = go(with_admin(work))
    found = [offsets[TopicPartition(TOPIC, number)].offset for number in range(PARTITIONS)]
    assert found == [2 * RECORDS // PARTITIONS] * PARTITIONS, found


@step("configs and deleted records")
def _():
    async def work(admin):
        resource = ConfigResource(ConfigResourceType.TOPIC, TOPIC, {"flush.messages": "10"})
        await admin.alter_configs([resource])
        described = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
        assert "flush.messages" in str(described)
        where = TopicPartition(TOPIC, 0)
        return await admin.delete_records({where: RecordsToDelete(before_offset=7)})

    assert list(go(with_admin(work)).values()) == [7]


@step("transactions are refused at once")
def _():
    async def begin():
        producer = AIOKafkaProducer(**COMMON, transactional_id=f"{PREFIX}-id")
        try:
            await asyncio.wait_for(producer.start(), 10)
        finally:
            await producer.stop()

    print(f"   {refused(lambda: go(begin()), 'transactional')}")


@step("delete the topic")
def _():
    async def work(admin):
        await admin.delete_topics([TOPIC])
        assert TOPIC not in await admin.list_topics()

    go(with_admin(work))
