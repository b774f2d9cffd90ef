// What Redpanda Console's backend asks of a cluster, page by page, with its own client (franz-go: kadm, and raw requests where it uses
// those). Argument: bootstrap server. Each call prints `ok`, or `SURPRISE` with what a user would see; ends with 1 where there was one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

var surprises int

func told(page string, err error, detail ...any) {
	if err == nil {
		fmt.Printf("%s\tok\t%s\n", page, strings.TrimSpace(fmt.Sprintln(detail...)))
		return
	}
	surprises++
	fmt.Printf("%s\tSURPRISE\t%v\n", page, err)
}

func check(what string, isTrue bool, detail ...any) {
	var err error
	if !isTrue {
		err = fmt.Errorf("not so: %v", fmt.Sprint(detail...))
	}
	told("check "+what, err)
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println("cannot go on:", err)
		os.Exit(2)
	}
	return value
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	cl := must(kgo.NewClient(kgo.SeedBrokers(os.Args[1])))
	defer cl.Close()
	adm := kadm.NewClient(cl)
	prepare(ctx, adm)
	overview(ctx, cl, adm)
	topics(ctx, cl, adm)
	groups(ctx, cl, adm)
	fmt.Printf("%d surprises\n", surprises)
	if surprises > 0 {
		os.Exit(1)
	}
}

func prepare(ctx context.Context, adm *kadm.Client) {
	must(adm.CreateTopic(ctx, 3, 1, nil, "orders"))
	producer := must(kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.RecordPartitioner(kgo.ManualPartitioner())))
	defer producer.Close()
	for i := range 300 {
		record := &kgo.Record{Topic: "orders", Partition: int32(i % 3), Value: []byte(fmt.Sprint("value ", i))}
		if err := producer.ProduceSync(ctx, record).FirstErr(); err != nil {
			must(0, err)
		}
	}
	for _, group := range []string{"idle", "gone"} {
		member := must(kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.ConsumerGroup(group), kgo.ConsumeTopics("orders"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit()))
		for seen := 0; seen < 300; {
			fetches := member.PollFetches(ctx)
			must(0, fetches.Err())
			seen += fetches.NumRecords()
		}
		must(0, member.CommitUncommittedOffsets(ctx))
		member.Close()
	}
}

// The first page: versions, which pages there are, brokers with their disks and configs, whether there are ACLs.
func overview(ctx context.Context, cl *kgo.Client, adm *kadm.Client) {
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, cl)
	told("Console: API versions", err)
	served := kversion.FromApiVersionsResponse(versions)
	guess := served.VersionGuess()
	check("its version is guessed", guess != "unknown" && guess != "", guess)
	fmt.Printf("Console shows Kafka %s\n", guess)
	for page, keys := range map[string][]kmsg.Key{
		"cluster configs":        {kmsg.DescribeConfigs},
		"consumer groups":        {kmsg.DescribeGroups, kmsg.ListGroups},
		"delete records":         {kmsg.DeleteRecords},
		"edit group offsets":     {kmsg.OffsetCommit},
		"delete a group":         {kmsg.DeleteGroups},
		"delete group offsets":   {kmsg.OffsetDelete},
		"quotas":                 {kmsg.DescribeClientQuotas},
		"reassignments (hidden)": nil,
		"users (hidden)":         nil,
	} {
		for _, key := range keys {
			_, isServed := served.LookupMaxKeyVersion(key.Int16())
			check("page is offered: "+page, isServed)
		}
	}
	metadata, err := adm.Metadata(ctx)
	told("Console: metadata", err, len(metadata.Brokers), "brokers")
	dirs, err := adm.DescribeAllLogDirs(ctx, nil)
	told("Console: brokers with their log directories", err)
	var sized int
	dirs.Each(func(dir kadm.DescribedLogDir) {
		told("Console: no error in a directory", dir.Err, dir.Dir)
		dir.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if p.Topic == "orders" && p.Size > 0 {
				sized++
			}
		})
	})
	check("the size of each partition is told", sized == 3, sized)
	for _, broker := range metadata.Brokers {
		configs, err := adm.DescribeBrokerConfigs(ctx, broker.NodeID)
		told(fmt.Sprint("Console: configs of broker ", broker.NodeID), err)
		for _, one := range configs {
			told("Console: no error in them", one.Err, len(one.Configs), "configs")
		}
	}
	acls := kmsg.NewPtrDescribeACLsRequest()
	acls.ResourceType = kmsg.ACLResourceTypeAny
	acls.ResourcePatternType = kmsg.ACLResourcePatternTypeAny
	acls.Operation = kmsg.ACLOperationAny
	acls.PermissionType = kmsg.ACLPermissionTypeAny
	answer, err := acls.RequestWith(ctx, cl)
	told("Console: is there an authorizer", err)
	check("it is told that there is one", err == nil && kerr.ErrorForCode(answer.ErrorCode) == nil)
	quotas, err := kmsg.NewPtrDescribeClientQuotasRequest().RequestWith(ctx, cl)
	told("Console: quotas", err)
	check("there are none", err == nil && quotas.ErrorCode == 0 && len(quotas.Entries) == 0)
}

func topics(ctx context.Context, cl *kgo.Client, adm *kadm.Client) {
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "made", 2, -1
	topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: kmsg.StringPtr("3600000")}}
	create.Topics = append(create.Topics, topic)
	created, err := create.RequestWith(ctx, cl)
	told("Console: create a topic", err)
	// it shows what it has been told of the topic
	check("what was made is told", err == nil && created.Topics[0].ErrorCode == 0 && created.Topics[0].NumPartitions == 2 &&
		created.Topics[0].ReplicationFactor == 3 && len(created.Topics[0].Configs) > 0)

	configs, err := adm.DescribeTopicConfigs(ctx, "orders", "made")
	told("Console: configs of topics", err)
	for _, one := range configs {
		told("Console: no error in them", one.Err, len(one.Configs), "configs")
	}
	starts, err := adm.ListStartOffsets(ctx, "orders")
	told("Console: low water marks", errors.Join(err, starts.Error()))
	ends, err := adm.ListEndOffsets(ctx, "orders")
	told("Console: high water marks", errors.Join(err, ends.Error()))
	timed, err := adm.ListOffsetsAfterMilli(ctx, 1, "orders")
	told("Console: offsets after a time", errors.Join(err, timed.Error()))

	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, "made"
	set := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	set.Name, set.Op, set.Value = "cleanup.policy", kmsg.IncrementalAlterConfigOpAppend, kmsg.StringPtr("compact")
	unset := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	unset.Name, unset.Op = "retention.ms", kmsg.IncrementalAlterConfigOpDelete
	resource.Configs = append(resource.Configs, set, unset)
	alter.Resources = append(alter.Resources, resource)
	altered, err := alter.RequestWith(ctx, cl)
	told("Console: edit a config", err)
	check("it is edited", err == nil && altered.Resources[0].ErrorCode == 0)
	now := must(adm.DescribeTopicConfigs(ctx, "made"))
	for _, config := range now[0].Configs {
		if config.Key == "cleanup.policy" {
			check("APPEND holds", config.MaybeValue() == "delete,compact", config.MaybeValue())
		}
	}
	for _, page := range []struct {
		name string
		call func(context.Context, int, ...string) (kadm.CreatePartitionsResponses, error)
		n    int
	}{
		{"Console: add partitions, only a check", adm.ValidateCreatePartitions, 1},
		{"Console: add partitions", adm.CreatePartitions, 1},
		{"Console: set partitions", adm.UpdatePartitions, 6},
	} {
		added, err := page.call(ctx, page.n, "made")
		told(page.name, errors.Join(err, added.Error()))
	}
	details := must(adm.Metadata(ctx, "made"))
	check("there are six", len(details.Topics["made"].Partitions) == 6, len(details.Topics["made"].Partitions))

	deletion := kadm.Offsets{}
	deletion.AddOffset("orders", 0, 40, -1)
	deleted, err := adm.DeleteRecords(ctx, deletion)
	told("Console: delete records", errors.Join(err, deleted.Error()))
	low, _ := deleted.Lookup("orders", 0)
	check("the low water mark is told", low.LowWatermark == 40, low.LowWatermark)

	gone, err := adm.DeleteTopics(ctx, "made")
	told("Console: delete a topic", errors.Join(err, gone.Error()))
}

func groups(ctx context.Context, cl *kgo.Client, adm *kadm.Client) {
	listed, err := adm.ListGroups(ctx)
	told("Console: list groups", err, listed.Groups())
	described, err := adm.DescribeGroups(ctx, listed.Groups()...)
	told("Console: describe groups", errors.Join(err, described.Error()))
	idle := described["idle"]
	check("its state is Empty", strings.EqualFold(idle.State, "empty"), idle.State)
	fetched := adm.FetchManyOffsets(ctx, listed.Groups()...)
	told("Console: offsets of groups", fetched.Error())
	check("of every partition", len(fetched["idle"].Fetched["orders"]) == 3, fetched["idle"].Fetched)
	lags, err := adm.Lag(ctx, "idle")
	told("Console: lags", errors.Join(err, lags.Error()))

	edit := kadm.Offsets{}
	edit.AddOffset("orders", 1, 7, -1)
	edited, err := adm.CommitOffsets(ctx, "idle", edit)
	told("Console: edit the offsets of a group", errors.Join(err, edited.Error()))
	after, err := adm.FetchOffsets(ctx, "idle")
	told("Console: and look at them", err)
	at, _ := after.Lookup("orders", 1)
	check("they are edited", at.At == 7, at.At)
	removal := kadm.TopicsSet{}
	removal.Add("orders", 1)
	removed, err := adm.DeleteOffsets(ctx, "idle", removal)
	told("Console: delete offsets of a group", errors.Join(err, removed.Error()))
	ended, err := adm.DeleteGroups(ctx, "gone")
	told("Console: delete a group", errors.Join(err, ended.Error()))
}
