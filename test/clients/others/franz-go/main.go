// franz-go (kgo and kadm) produces, consumes, joins groups and uses admin calls.
// Usage: franz-go BOOTSTRAP[,…] PREFIX. Prints a line per step; ends with 1 at the first that fails.
// Or: franz-go BOOTSTRAP[,…] TOPIC RACK COUNT: reads so many records of partition 0 as a consumer in that rack, and prints them.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions = 4
	records    = 400
)

var (
	seeds  []string
	prefix string
	topic  string
	ctx    = context.Background()
	admin  *kadm.Client
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

func until(what string, holds func() bool) error {
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 30 s for: %s", what)
		}
	}
	return nil
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

func client(opts ...kgo.Opt) *kgo.Client {
	opts = append([]kgo.Opt{kgo.SeedBrokers(seeds...), kgo.ClientID(prefix + "-client")}, opts...)
	cl, err := kgo.NewClient(opts...)
	must(err)
	return cl
}

func produce(from int, codec kgo.CompressionCodec) error {
	// idempotent and acks=all unless told otherwise
	cl := client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec))
	defer cl.Close()
	var all []*kgo.Record
	for i := from; i < from+records; i++ {
		all = append(all, &kgo.Record{
			Topic: topic, Partition: int32(i % partitions), Key: fmt.Appendf(nil, "key %d", i),
			Value:   fmt.Append(nil, i),
			Headers: []kgo.RecordHeader{{Key: "from", Value: []byte("franz-go")}},
		})
	}
	return cl.ProduceSync(ctx, all...).FirstErr()
}

// member reads as a member of a group, and commits.
type member struct {
	mu       sync.Mutex
	owned    map[int32]bool
	lost     int
	values   map[string]bool
	cl       *kgo.Client
	finished chan struct{}
}

func startMember(group string, balancer kgo.GroupBalancer, opts ...kgo.Opt) *member {
	m := &member{owned: map[int32]bool{}, values: map[string]bool{}, finished: make(chan struct{})}
	add := func(isOwned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, p := range changed[topic] {
				if isOwned {
					m.owned[p] = true
				} else {
					delete(m.owned, p)
					m.lost++
				}
			}
		}
	}
	m.cl = client(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(200 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(add(true)), kgo.OnPartitionsRevoked(add(false)), kgo.OnPartitionsLost(add(false)),
		kgo.DisableAutoCommit(),
	}, opts...)...)
	go func() {
		defer close(m.finished)
		for {
			fetches := m.cl.PollFetches(ctx)
			if fetches.IsClientClosed() {
				return
			}
			m.mu.Lock()
			fetches.EachRecord(func(r *kgo.Record) { m.values[string(r.Value)] = true })
			m.mu.Unlock()
			_ = m.cl.CommitUncommittedOffsets(ctx)
		}
	}()
	return m
}

func (m *member) partitions() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []int32
	for p := range m.owned {
		all = append(all, p)
	}
	return all
}

func (m *member) end() {
	must(m.cl.CommitUncommittedOffsets(ctx))
	m.cl.Close()
	<-m.finished
}

func isShared(members ...*member) bool {
	seen := map[int32]bool{}
	for _, m := range members {
		owned := m.partitions()
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

func shareAGroup(group string, next int, balancer kgo.GroupBalancer) error {
	one := startMember(group, balancer)
	if err := until("all records", func() bool { return isShared(one) && allOf(0, next, one) }); err != nil {
		return err
	}
	two := startMember(group, balancer)
	if err := until("a share each", func() bool { return isShared(one, two) }); err != nil {
		return err
	}
	if balancer.IsCooperative() && one.lost != partitions/2 {
		return fmt.Errorf("a cooperative member gave up %d partitions", one.lost)
	}
	var described kadm.DescribedGroup
	err := until("the group is stable", func() bool {
		all, err := admin.DescribeGroups(ctx, group)
		must(err)
		described = all[group]
		return described.State == "Stable" && len(described.Members) == 2
	})
	if err = first(err, described.Err, check(described.Protocol == balancer.ProtocolName(), "%v", described.Protocol)); err != nil {
		return err
	}
	if err := produce(next, kgo.ZstdCompression()); err != nil {
		return err
	}
	if err := until("the next records", func() bool { return allOf(next, records, one, two) }); err != nil {
		return err
	}
	one.end()
	if err := until("all partitions of who left", func() bool { return isShared(two) }); err != nil {
		return err
	}
	two.end()
	lags, err := admin.Lag(ctx, group)
	if err != nil {
		return err
	}
	lag := lags[group]
	return first(lag.Error(), check(lag.Lag.Total() == 0 && len(lag.Lag[topic]) == partitions, "lag %v", lag.Lag))
}

func configOf(configs kadm.ResourceConfigs, err error, name string) string {
	must(err)
	for _, c := range configs {
		must(c.Err)
		for _, config := range c.Configs {
			if config.Key == name {
				return config.MaybeValue()
			}
		}
	}
	return "(none)"
}

func ptr(s string) *string { return &s }

func main() {
	seeds, prefix = strings.Split(os.Args[1], ","), os.Args[2]
	if len(os.Args) == 5 {
		near(os.Args[2], os.Args[3], os.Args[4])
		return
	}
	topic = prefix + "-topic"
	cl := client()
	admin = kadm.NewClient(cl)

	step("brokers and versions", func() error {
		meta, err := admin.BrokerMetadata(ctx)
		if err != nil {
			return err
		}
		versions, err := admin.ApiVersions(ctx)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if v.Err != nil {
				return v.Err
			}
			fmt.Printf("   broker %d looks like Kafka %s\n", v.NodeID, v.VersionGuess())
		}
		return check(len(meta.Brokers) > 0 && meta.Cluster != "", "%v", meta)
	})
	step("create a topic with a config, and not twice", func() error {
		created, err := admin.CreateTopic(ctx, 2, 1, map[string]*string{"retention.ms": ptr("86400000")}, topic)
		_, again := admin.CreateTopic(ctx, 2, 1, nil, topic)
		return first(err, check(created.NumPartitions == 2, "%v", created),
			check(strings.Contains(fmt.Sprint(again), kerr.TopicAlreadyExists.Message), "%v", again))
	})
	step("add partitions, list and describe topics", func() error {
		responses, err := admin.UpdatePartitions(ctx, partitions, topic)
		if err = first(err, responses.Error()); err != nil {
			return err
		}
		details, err := admin.ListTopics(ctx, topic)
		return first(err, details.Error(), check(len(details[topic].Partitions) == partitions, "%v", details))
	})
	step("produce idempotently, with every codec", func() error {
		codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression()}
		for i, codec := range codecs {
			if err := produce(i*records, codec); err != nil {
				return err
			}
		}
		return nil
	})
	const produced = 4 * records
	step("consume without a group, from the middle of a batch", func() error {
		at := map[string]map[int32]kgo.Offset{topic: {1: kgo.NewOffset().At(7)}}
		cl := client(kgo.ConsumePartitions(at))
		defer cl.Close()
		offset := int64(7)
		for offset < produced/partitions {
			fetches := cl.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return err
			}
			for _, r := range fetches.Records() {
				if r.Offset != offset || string(r.Value) != fmt.Sprint(4*offset+1) || len(r.Headers) != 1 {
					return fmt.Errorf("offset %d of %d: %s", r.Offset, offset, r.Value)
				}
				offset++
			}
		}
		return nil
	})
	step("an eager group of two", func() error {
		return shareAGroup(prefix+"-eager", produced, kgo.RangeBalancer())
	})
	step("a cooperative group of two", func() error {
		return shareAGroup(prefix+"-cooperative", produced+records, kgo.CooperativeStickyBalancer())
	})
	step("a static member comes back to its partitions", func() error {
		group := prefix + "-static"
		for range 2 {
			m := startMember(group, kgo.RangeBalancer(), kgo.InstanceID(prefix+"-instance"))
			if err := until("all partitions", func() bool { return isShared(m) }); err != nil {
				return err
			}
			m.end()
		}
		described, err := admin.DescribeGroups(ctx, group)
		if err != nil {
			return err
		}
		if err := check(len(described[group].Members) == 1, "%v", described); err != nil {
			return err
		}
		left, err := admin.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(prefix+"-instance"))
		return first(err, left.Error())
	})
	const ends = (produced + 2*records) / partitions
	step("list offsets: start, end, committed, of a time, of the largest time", func() error {
		starts, err := admin.ListStartOffsets(ctx, topic)
		e, err2 := admin.ListEndOffsets(ctx, topic)
		c, err3 := admin.ListCommittedOffsets(ctx, topic)
		a, err4 := admin.ListOffsetsAfterMilli(ctx, 1, topic)
		m, err5 := admin.ListMaxTimestampOffsets(ctx, topic)
		if err := first(err, err2, err3, err4, err5, starts.Error(), e.Error(), c.Error(), a.Error(), m.Error()); err != nil {
			return err
		}
		s, _ := starts.Lookup(topic, 1)
		end, _ := e.Lookup(topic, 1)
		committed, _ := c.Lookup(topic, 1)
		after, _ := a.Lookup(topic, 1)
		largest, _ := m.Lookup(topic, 1)
		return check(s.Offset == 0 && end.Offset == ends && committed.Offset == ends && after.Offset == 0 && largest.Offset > 0,
			"%v %v %v %v %v", s, end, committed, after, largest)
	})
	step("describe and alter configs of topics and brokers", func() error {
		alter := func(op kadm.IncrementalOp, name string, value *string) error {
			responses, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: name, Value: value}}, topic)
			if err != nil {
				return err
			}
			return responses[0].Err
		}
		value := func(name string) string {
			configs, err := admin.DescribeTopicConfigs(ctx, topic)
			return configOf(configs, err, name)
		}
		retention := value("retention.ms")
		err := alter(kadm.AppendConfig, "cleanup.policy", ptr("compact"))
		both := value("cleanup.policy")
		err2 := alter(kadm.SubtractConfig, "cleanup.policy", ptr("compact"))
		one := value("cleanup.policy")
		err3 := alter(kadm.DeleteConfig, "retention.ms", nil)
		none := alter(kadm.SetConfig, "no.such.config", ptr("1"))
		whole, err4 := admin.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "flush.messages", Value: ptr("10")}}, topic)
		brokers, err5 := admin.DescribeBrokerConfigs(ctx, 1)
		byDefault, err6 := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Name: "message.max.bytes", Value: ptr("2000000")}})
		if err := first(err, err2, err3, err4, err6, whole[0].Err, byDefault[0].Err); err != nil {
			return err
		}
		return check(retention == "86400000" && both == "delete,compact" && one == "delete" && none != nil &&
			value("retention.ms") == "604800000" && value("flush.messages") == "10" && value("max.message.bytes") == "2000000" &&
			configOf(brokers, err5, "num.partitions") == "4",
			"%s %s %s %v", retention, both, one, none)
	})
	step("list groups, fetch, commit and delete their offsets", func() error {
		groups, err := admin.ListGroups(ctx)
		if err != nil {
			return err
		}
		names := groups.Groups()
		names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) })
		if err := check(len(names) == 3, "%v", names); err != nil {
			return err
		}
		group := prefix + "-eager"
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: topic, Partition: 2, At: 5, LeaderEpoch: -1, Metadata: "said so"})
		committed, err := admin.CommitOffsets(ctx, group, offsets)
		if err := first(err, committed.Error()); err != nil {
			return err
		}
		fetched, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return err
		}
		at, _ := fetched.Lookup(topic, 2)
		if err := check(at.At == 5 && at.Metadata == "said so", "%v", at); err != nil {
			return err
		}
		many := admin.FetchManyOffsets(ctx, names...)
		if err := first(many.Error(), check(len(many) == 3, "%v", many)); err != nil {
			return err
		}
		set := kadm.TopicsSet{}
		set.Add(topic, 2)
		deleted, err := admin.DeleteOffsets(ctx, group, set)
		if err := first(err, deleted.Error()); err != nil {
			return err
		}
		fetched, err = admin.FetchOffsets(ctx, group)
		_, isThere := fetched.Lookup(topic, 2)
		return first(err, check(!isThere, "still there"))
	})
	step("find coordinators", func() error {
		found := admin.FindGroupCoordinators(ctx, prefix+"-eager", prefix+"-cooperative")
		return first(found.Error(), check(len(found) == 2, "%v", found))
	})
	step("delete records", func() error {
		to := func(at int64) (kadm.DeleteRecordsResponses, error) {
			offsets := kadm.Offsets{}
			offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: at})
			return admin.DeleteRecords(ctx, offsets)
		}
		deleted, err := to(7)
		beyond, err2 := to(1_000_000)
		low, _ := deleted.Lookup(topic, 0)
		return first(err, err2, deleted.Error(), check(low.LowWatermark == 7, "%v", low),
			check(beyond.Error() == kerr.OffsetOutOfRange, "%v", beyond.Error()))
	})
	step("describe producers", func() error {
		set := kadm.TopicsSet{}
		set.Add(topic, 0)
		described, err := admin.DescribeProducers(ctx, set)
		if err != nil {
			return err
		}
		return first(described[topic].Partitions[0].Err, check(len(described[topic].Partitions[0].ActiveProducers) > 0, "%v", described))
	})
	step("what is not there yet is refused: transactions", func() error {
		cl := client(kgo.TransactionalID(prefix + "-id"))
		defer cl.Close()
		err := cl.BeginTransaction()
		fmt.Printf("   transactions: %v\n", err)
		return check(err != nil, "they are not refused")
	})
	step("quotas are listed: there are none", func() error {
		quotas, err := admin.DescribeClientQuotas(ctx, false, nil)
		return first(err, check(len(quotas) == 0, "%v", quotas))
	})
	step("ACLs are listed: there are none", func() error {
		_, err := admin.DescribeACLs(ctx, kadm.NewACLs().AnyResource().Allow().AllowHosts().Operations().ResourcePatternType(kadm.ACLPatternAny))
		return err
	})
	step("a KIP-848 group falls back or is refused", func() error {
		group := prefix + "-848"
		next := context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true)
		m := startMember(group, kgo.CooperativeStickyBalancer(), kgo.WithContext(next))
		if err := until("all partitions", func() bool { return isShared(m) }); err != nil {
			return err
		}
		m.end()
		described, err := admin.DescribeGroups(ctx, group)
		if err != nil {
			return err
		}
		fmt.Printf("   the group is %s\n", described[group].ProtocolType)
		deleted, err := admin.DeleteGroups(ctx, group)
		return first(err, deleted.Error())
	})
	step("delete groups and topics", func() error {
		deleted, err := admin.DeleteGroups(ctx, prefix+"-eager", prefix+"-cooperative", prefix+"-static")
		if err := first(err, deleted.Error()); err != nil {
			return err
		}
		responses, err := admin.DeleteTopics(ctx, topic)
		if err := first(err, responses.Error()); err != nil {
			return err
		}
		again, err := admin.DeleteTopics(ctx, topic)
		return first(err, check(again.Error() == kerr.UnknownTopicOrPartition, "%v", again.Error()))
	})
	cl.Close()
}
