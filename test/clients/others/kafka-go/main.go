// segmentio's kafka-go produces, consumes, joins groups and uses admin calls.
// Usage: kafka-go BOOTSTRAP[,…] PREFIX. Prints a line per step; ends with 1 at the first that fails.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	partitions = 4
	records    = 400
)

var (
	seeds               []string
	topic, group        string
	client              *kafka.Client
	ctx                 = context.Background()
	errUnexpectedAnswer = errors.New("unexpected answer")
)

func step(name string, work func() error) {
	from := time.Now()
	if err := work(); err != nil {
		fmt.Printf("failed: %s: %v\n", name, err)
		os.Exit(1)
	}
	fmt.Printf("ok: %s (%d ms)\n", name, time.Since(from).Milliseconds())
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

func check(holds bool, found ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf("%w: %v", errUnexpectedAnswer, found)
}

func produce(from int, codec kafka.Compression) error {
	writer := &kafka.Writer{
		Addr: kafka.TCP(seeds...), Topic: topic, RequiredAcks: kafka.RequireAll, Compression: codec,
		Balancer: &kafka.RoundRobin{}, BatchTimeout: 10 * time.Millisecond,
	}
	var all []kafka.Message
	for i := from; i < from+records; i++ {
		all = append(all, kafka.Message{
			Key: fmt.Append(nil, i), Value: fmt.Append(nil, i), Headers: []kafka.Header{{Key: "from", Value: []byte("kafka-go")}},
		})
	}
	return first(writer.WriteMessages(ctx, all...), writer.Close())
}

// readAll reads as two members of the group until all records below count have come, and commits them.
func readAll(from, count int) error {
	var mu sync.Mutex
	seen := map[string]bool{}
	limited, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	var members sync.WaitGroup
	for range 2 {
		members.Go(func() {
			reader := kafka.NewReader(kafka.ReaderConfig{
				Brokers: seeds, GroupID: group, Topic: topic, MaxWait: 100 * time.Millisecond,
				SessionTimeout: 6 * time.Second, HeartbeatInterval: 200 * time.Millisecond, StartOffset: kafka.FirstOffset,
			})
			defer reader.Close()
			for {
				message, err := reader.ReadMessage(limited)
				if err != nil {
					return
				}
				mu.Lock()
				seen[string(message.Value)] = true
				isDone := len(seen) == count
				mu.Unlock()
				if isDone {
					cancel()
					return
				}
			}
		})
	}
	members.Wait()
	for i := from; i < from+count; i++ {
		if !seen[fmt.Sprint(i)] {
			return fmt.Errorf("record %d was not read; %d were", i, len(seen))
		}
	}
	return nil
}

func main() {
	seeds, topic, group = strings.Split(os.Args[1], ","), os.Args[2]+"-topic", os.Args[2]+"-group"
	client = &kafka.Client{Addr: kafka.TCP(seeds...), Timeout: 20 * time.Second}
	step("create topics, add partitions, metadata", func() error {
		wanted := &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: topic, NumPartitions: 2, ReplicationFactor: 1,
			ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "86400000"}},
		}}}
		created, err := client.CreateTopics(ctx, wanted)
		if err = first(err, created.Errors[topic]); err != nil {
			return err
		}
		again, err := client.CreateTopics(ctx, wanted)
		if err = first(err, check(errors.Is(again.Errors[topic], kafka.TopicAlreadyExists), again.Errors)); err != nil {
			return err
		}
		grown, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
			Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: partitions, TopicPartitionAssignments: []kafka.TopicPartitionAssignment{{BrokerIDs: []int32{1}}, {BrokerIDs: []int32{1}}}}},
		})
		if err = first(err, grown.Errors[topic]); err != nil {
			return err
		}
		// the client asks anew every few seconds only
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
			if err != nil || len(meta.Topics[0].Partitions) == partitions {
				return err
			}
		}
		return fmt.Errorf("%w: no %d partitions after 20 s", errUnexpectedAnswer, partitions)
	})
	step("produce, with every codec", func() error {
		for i, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
			if err := produce(i*records, codec); err != nil {
				return err
			}
		}
		return nil
	})
	const produced = 5 * records
	step("consume without a group", func() error {
		total := 0
		for p := range partitions {
			reader := kafka.NewReader(kafka.ReaderConfig{Brokers: seeds, Topic: topic, Partition: p, MaxWait: 100 * time.Millisecond})
			lag, err := reader.ReadLag(ctx)
			if err != nil {
				return err
			}
			for offset := range lag {
				message, err := reader.ReadMessage(ctx)
				if err = first(err, check(err != nil || message.Offset == offset, message.Offset, offset)); err != nil {
					return err
				}
				total++
			}
			if err := reader.Close(); err != nil {
				return err
			}
		}
		return check(total == produced, total)
	})
	step("two members of a group", func() error { return readAll(0, produced) })
	step("the group goes on where it was", func() error {
		return first(produce(produced, kafka.Zstd), readAll(produced, records))
	})
	step("list and describe groups, and their offsets", func() error {
		listed, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
		if err != nil {
			return err
		}
		described, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
		if err = first(err, described.Groups[0].Error, check(described.Groups[0].GroupState == "Empty", described)); err != nil {
			return err
		}
		fetched, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0, 1, 2, 3}}})
		if err != nil {
			return err
		}
		sum := int64(0)
		for _, p := range fetched.Topics[topic] {
			sum += p.CommittedOffset
		}
		return check(sum == produced+records && len(listed.Groups) > 0, sum, listed)
	})
	step("list offsets", func() error {
		offsets, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
			topic: {kafka.FirstOffsetOf(1), kafka.LastOffsetOf(1), kafka.TimeOffsetOf(1, time.UnixMilli(1))},
		}})
		if err != nil {
			return err
		}
		found := offsets.Topics[topic][0]
		return first(found.Error, check(found.FirstOffset == 0 && found.LastOffset == (produced+records)/partitions, found))
	})
	step("describe and alter configs", func() error {
		resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}
		altered, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
			Resources: []kafka.IncrementalAlterConfigsRequestResource{{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
				Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "cleanup.policy", Value: "compact", ConfigOperation: kafka.ConfigOperationAppend}},
			}},
		})
		if err = first(err, altered.Resources[0].Error); err != nil {
			return err
		}
		described, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}})
		if err != nil {
			return err
		}
		found := map[string]string{}
		for _, entry := range described.Resources[0].ConfigEntries {
			found[entry.ConfigName] = entry.ConfigValue
		}
		return check(found["cleanup.policy"] == "delete,compact" && found["retention.ms"] == "86400000", found)
	})
	step("delete the group and the topic", func() error {
		deleted, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
		if err = first(err, deleted.Errors[group]); err != nil {
			return err
		}
		gone, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
		return first(err, gone.Errors[topic])
	})
}
