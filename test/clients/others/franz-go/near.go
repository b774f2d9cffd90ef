package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// near reads partition 0 of a topic from its beginning, from a replica in the rack if there is one.
func near(topic, rack, count string) {
	left, err := strconv.Atoi(count)
	must(err)
	from := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	cl := client(kgo.Rack(rack), kgo.ConsumePartitions(from))
	defer cl.Close()
	out := bufio.NewWriter(os.Stdout)
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		for _, failed := range fetches.Errors() {
			panic(failed.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			fmt.Fprintln(out, string(record.Value))
			left--
		})
		must(out.Flush())
	}
}
