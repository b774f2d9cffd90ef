// sarama produces, consumes, joins groups and uses admin calls, at its default version of Kafka and at its newest.
// Usage: sarama BOOTSTRAP[,…] PREFIX. Prints a line per step; ends with 1 at the first that fails.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const (
	partitions = 4
	records    = 400
)

var (
	seeds  []string
	prefix string
)

func step(name string, work func() error) {
	from := time.Now()
	if err := work(); err != nil {
		fmt.Printf("failed: %s: %v\n", name, err)
		os.Exit(1)
	}
	fmt.Printf("ok: %s (%d ms)\n", name, time.Since(from).Milliseconds())
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(holds bool, format string, args ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func until(what string, holds func() bool) error {
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 30 s for: %s", what)
		}
	}
	return nil
}

func config(version sarama.KafkaVersion) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = version
	c.ClientID = prefix + "-client"
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Net.MaxOpenRequests = 1
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	return c
}

func produce(c *sarama.Config, topic string, from int, codec sarama.CompressionCodec) error {
	with := *c
	with.Producer.Compression = codec
	producer, err := sarama.NewSyncProducer(seeds, &with)
	if err != nil {
		return err
	}
	var all []*sarama.ProducerMessage
	for i := from; i < from+records; i++ {
		all = append(all, &sarama.ProducerMessage{
			Topic: topic, Partition: int32(i % partitions), Value: sarama.StringEncoder(fmt.Sprint(i)),
			Headers: []sarama.RecordHeader{{Key: []byte("from"), Value: []byte("sarama")}},
		})
	}
	return first(producer.SendMessages(all), producer.Close())
}

// member reads as a member of a group, and commits.
type member struct {
	mu     sync.Mutex
	owned  []int32
	values map[string]bool
	cancel context.CancelFunc
	done   chan struct{}
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, claimed := range session.Claims() {
		m.owned = claimed
	}
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owned = nil
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, isOpen := <-claim.Messages():
			if !isOpen {
				return nil
			}
			m.mu.Lock()
			m.values[string(message.Value)] = true
			m.mu.Unlock()
			session.MarkMessage(message, "marked")
		case <-session.Context().Done():
			return nil
		}
	}
}

func startMember(c *sarama.Config, group, topic string) *member {
	joined, err := sarama.NewConsumerGroup(seeds, group, c)
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{values: map[string]bool{}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := joined.Consume(ctx, []string{topic}, m); err != nil && ctx.Err() == nil {
				fmt.Printf("   a member: %v\n", err)
			}
		}
		must(joined.Close())
	}()
	return m
}

func (m *member) end() {
	m.cancel()
	<-m.done
}

func isShared(members ...*member) bool {
	seen := map[int32]bool{}
	for _, m := range members {
		m.mu.Lock()
		owned := m.owned
		m.mu.Unlock()
		if len(owned) != partitions/len(members) {
			return false
		}
		for _, p := range owned {
			seen[p] = true
		}
	}
	return len(seen) == partitions
}

func allOf(from, count int, members ...*member) bool {
	for i := from; i < from+count; i++ {
		found := false
		for _, m := range members {
			m.mu.Lock()
			found = found || m.values[fmt.Sprint(i)]
			m.mu.Unlock()
		}
		if !found {
			return false
		}
	}
	return true
}

func ptr(s string) *string { return &s }

func everything(name string, version sarama.KafkaVersion) {
	c := config(version)
	topic, group := prefix+"-topic-"+name, prefix+"-group-"+name
	admin, err := sarama.NewClusterAdmin(seeds, c)
	must(err)
	step(name+": create, alter, list and describe topics", func() error {
		detail := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": ptr("86400000")}}
		err := admin.CreateTopic(topic, detail, false)
		again := admin.CreateTopic(topic, detail, false)
		err2 := admin.CreatePartitions(topic, partitions, nil, false)
		topics, err3 := admin.ListTopics()
		described, err4 := admin.DescribeTopics([]string{topic})
		brokers, controller, err5 := admin.DescribeCluster()
		if err := first(err, err2, err3, err4, err5); err != nil {
			return err
		}
		return check(errors.Is(again, sarama.ErrTopicAlreadyExists) && topics[topic].NumPartitions == partitions &&
			len(described[0].Partitions) == partitions && len(brokers) > 0 && controller > 0, "%v %v", again, described)
	})
	step(name+": produce idempotently, with every codec", func() error {
		for i, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4} {
			if err := produce(c, topic, i*records, codec); err != nil {
				return err
			}
		}
		return nil
	})
	step(name+": consume without a group, from the middle of a batch", func() error {
		consumer, err := sarama.NewConsumer(seeds, c)
		if err != nil {
			return err
		}
		part, err := consumer.ConsumePartition(topic, 1, 7)
		if err != nil {
			return err
		}
		for offset := int64(7); offset < records; offset++ {
			message := <-part.Messages()
			if message.Offset != offset || string(message.Value) != fmt.Sprint(4*offset+1) {
				return fmt.Errorf("offset %d of %d", message.Offset, offset)
			}
		}
		return first(part.Close(), consumer.Close())
	})
	const produced = 4 * records
	step(name+": a group of two", func() error {
		one := startMember(c, group, topic)
		if err := until("all records", func() bool { return isShared(one) && allOf(0, produced, one) }); err != nil {
			return err
		}
		two := startMember(c, group, topic)
		if err := until("a share each", func() bool { return isShared(one, two) }); err != nil {
			return err
		}
		described, err := admin.DescribeConsumerGroups([]string{group})
		if err != nil {
			return err
		}
		if err := check(described[0].State == "Stable" && len(described[0].Members) == 2, "%v", described[0]); err != nil {
			return err
		}
		if err := produce(c, topic, produced, sarama.CompressionZSTD); err != nil {
			return err
		}
		if err := until("the next records", func() bool { return allOf(produced, records, one, two) }); err != nil {
			return err
		}
		one.end()
		if err := until("all partitions of who left", func() bool { return isShared(two) }); err != nil {
			return err
		}
		two.end()
		return nil
	})
	const ends = (produced + records) / partitions
	step(name+": list groups, their offsets, and delete one", func() error {
		groups, err := admin.ListConsumerGroups()
		offsets, err2 := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2, 3}})
		err3 := admin.DeleteConsumerGroupOffset(group, topic, 2)
		after, err4 := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {2}})
		if err := first(err, err2, err3, err4); err != nil {
			return err
		}
		for p := range int32(partitions) {
			if block := offsets.GetBlock(topic, p); block.Offset != ends || block.Metadata != "marked" {
				return fmt.Errorf("partition %d: %v", p, block)
			}
		}
		return check(groups[group] == "consumer" && after.GetBlock(topic, 2).Offset == -1, "%v", groups)
	})
	step(name+": describe and alter configs", func() error {
		value := func(resource sarama.ConfigResourceType, of, name string) string {
			entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: resource, Name: of, ConfigNames: []string{name}})
			must(err)
			return entries[0].Value
		}
		retention := value(sarama.TopicResource, topic, "retention.ms")
		incremental := func(op sarama.IncrementalAlterConfigsOperation, name string, to *string) error {
			return admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{name: {Operation: op, Value: to}}, false)
		}
		err := incremental(sarama.IncrementalAlterConfigsOperationAppend, "cleanup.policy", ptr("compact"))
		policy := value(sarama.TopicResource, topic, "cleanup.policy")
		err2 := incremental(sarama.IncrementalAlterConfigsOperationSubtract, "cleanup.policy", ptr("compact"))
		none := incremental(sarama.IncrementalAlterConfigsOperationSet, "no.such.config", ptr("1"))
		err3 := admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"flush.messages": ptr("10")}, false)
		if err := first(err, err2, err3); err != nil {
			return err
		}
		return check(retention == "86400000" && policy == "delete,compact" && none != nil &&
			value(sarama.TopicResource, topic, "flush.messages") == "10" &&
			value(sarama.BrokerResource, "1", "num.partitions") == "4", "%s %s %v", retention, policy, none)
	})
	step(name+": list offsets and delete records", func() error {
		client, err := sarama.NewClient(seeds, c)
		if err != nil {
			return err
		}
		err = admin.DeleteRecords(topic, map[int32]int64{0: 7})
		oldest, err2 := client.GetOffset(topic, 0, sarama.OffsetOldest)
		newest, err3 := client.GetOffset(topic, 0, sarama.OffsetNewest)
		at, err4 := client.GetOffset(topic, 1, 1)
		beyond := admin.DeleteRecords(topic, map[int32]int64{0: 1_000_000})
		if err := first(err, err2, err3, err4, client.Close()); err != nil {
			return err
		}
		return check(oldest == 7 && newest == ends && at == 0 && beyond != nil, "%d %d %d %v", oldest, newest, at, beyond)
	})
	step(name+": what is not there yet is refused: transactions; ACLs are listed", func() error {
		with := *c
		with.Producer.Transaction.ID = prefix + "-id"
		with.Producer.Transaction.Retry.Max = 3
		_, err := sarama.NewSyncProducer(seeds, &with)
		fmt.Printf("   transactions: %v\n", err)
		_, acls := admin.ListAcls(sarama.AclFilter{ResourceType: sarama.AclResourceAny, ResourcePatternTypeFilter: sarama.AclPatternAny, PermissionType: sarama.AclPermissionAny, Operation: sarama.AclOperationAny})
		fmt.Printf("   ACLs: %v\n", acls)
		return first(acls, check(err != nil, "it is not refused"))
	})
	step(name+": delete the group and the topic", func() error {
		err := first(admin.DeleteConsumerGroup(group), admin.DeleteTopic(topic))
		return first(err, check(admin.DeleteTopic(topic) != nil, "deleted twice"), admin.Close())
	})
}

func main() {
	seeds, prefix = strings.Split(os.Args[1], ","), os.Args[2]
	everything("default", sarama.DefaultVersion)
	everything("newest", sarama.MaxVersion)
}
