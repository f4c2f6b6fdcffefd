// The suite of kafka-go: writers, readers, consumer groups and the low-level client.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	. "klamm.test/peers/checks"
)

var (
	ctx    = context.Background()
	client = &kafka.Client{Addr: kafka.TCP(Bootstrap()), Timeout: 15 * time.Second}
)

func topic(partitions int, configs ...string) string {
	made := Name("kafka-go")
	wanted := kafka.TopicConfig{Topic: made, NumPartitions: partitions, ReplicationFactor: 1}
	for n := 0; n < len(configs); n += 2 {
		wanted.ConfigEntries = append(wanted.ConfigEntries, kafka.ConfigEntry{ConfigName: configs[n], ConfigValue: configs[n+1]})
	}
	OK(create(wanted))
	return made
}

func create(topics ...kafka.TopicConfig) error {
	answer := Must(client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics}))
	for _, err := range answer.Errors {
		if err != nil {
			return err
		}
	}
	return nil
}

func writer(target string, changes ...func(*kafka.Writer)) *kafka.Writer {
	w := &kafka.Writer{Addr: kafka.TCP(Bootstrap()), Topic: target, BatchTimeout: 5 * time.Millisecond, RequiredAcks: kafka.RequireAll,
		WriteBackoffMin: 20 * time.Millisecond, WriteBackoffMax: 100 * time.Millisecond, Transport: &kafka.Transport{MetadataTTL: 200 * time.Millisecond}}
	for _, change := range changes {
		change(w)
	}
	return w
}

func produce(target string, messages []kafka.Message, changes ...func(*kafka.Writer)) error {
	w := writer(target, changes...)
	defer w.Close()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return w.WriteMessages(limited, messages...)
}

func numbered(count int) []kafka.Message {
	var all []kafka.Message
	for n := range count {
		all = append(all, kafka.Message{Value: fmt.Appendf(nil, "v%d", n)})
	}
	return all
}

func filled(count int) string {
	made := topic(1)
	OK(produce(made, numbered(count)))
	return made
}

func reader(target string, changes ...func(*kafka.ReaderConfig)) *kafka.Reader {
	c := kafka.ReaderConfig{Brokers: []string{Bootstrap()}, Topic: target, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 5_000_000,
		ReadBackoffMin: 10 * time.Millisecond, ReadBackoffMax: 100 * time.Millisecond}
	for _, change := range changes {
		change(&c)
	}
	return kafka.NewReader(c)
}

func read(r *kafka.Reader, count int) []kafka.Message {
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var got []kafka.Message
	for len(got) < count {
		got = append(got, Must(r.FetchMessage(limited)))
	}
	return got
}

func readFrom(target string, offset int64, count int) []kafka.Message {
	r := reader(target)
	defer r.Close()
	OK(r.SetOffset(offset))
	return read(r, count)
}

func values(messages []kafka.Message) []string {
	var all []string
	for _, message := range messages {
		all = append(all, string(message.Value))
	}
	return all
}

func inGroup(group string) func(*kafka.ReaderConfig) {
	return func(c *kafka.ReaderConfig) {
		c.GroupID, c.StartOffset = group, kafka.FirstOffset
		c.SessionTimeout, c.HeartbeatInterval, c.RebalanceTimeout = 6*time.Second, 200*time.Millisecond, 6*time.Second
		c.JoinGroupBackoff = 100 * time.Millisecond
	}
}

// member is one of a group; it is told its share and heartbeats until it leaves.
type member struct {
	group    *kafka.ConsumerGroup
	mu       sync.Mutex
	assigned int
	done     chan struct{}
}

func join(target, group string, balancer kafka.GroupBalancer) *member {
	made := Must(kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: []string{Bootstrap()}, Topics: []string{target}, GroupBalancers: []kafka.GroupBalancer{balancer},
		HeartbeatInterval: 200 * time.Millisecond, SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second, JoinGroupBackoff: 100 * time.Millisecond,
	}))
	m := &member{group: made, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for {
			generation, err := m.group.Next(ctx)
			if errors.Is(err, kafka.ErrGroupClosed) {
				return
			}
			if err != nil {
				continue
			}
			m.mu.Lock()
			m.assigned = len(generation.Assignments[target])
			m.mu.Unlock()
			generation.Start(func(ended context.Context) { <-ended.Done() })
		}
	}()
	return m
}

func (m *member) leave() { _ = m.group.Close(); <-m.done }

func share(members []*member, each int) func() bool {
	return func() bool {
		for _, m := range members {
			m.mu.Lock()
			has := m.assigned
			m.mu.Unlock()
			if has != each {
				return false
			}
		}
		return true
	}
}

func state(group string) string {
	return Must(client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})).Groups[0].GroupState
}

func groupOfThree(balancer kafka.GroupBalancer) func() {
	return func() {
		target, group, members := topic(6), Name("kafka-go-group"), []*member{}
		for range 3 {
			members = append(members, join(target, group, balancer))
		}
		Until("2, 2, 2", share(members, 2))
		members[2].leave()
		Until("3, 3", share(members[:2], 3))
		members[0].leave()
		members[1].leave()
		Until("empty", func() bool { return state(group) == "Empty" })
	}
}

func producing() {
	Add("compressions", func() {
		target, wanted := topic(1), []string{}
		for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
			var messages []kafka.Message
			for n := range 20 {
				value := fmt.Sprintf("%d-%d-%0200d", codec, n, n)
				wanted, messages = append(wanted, value), append(messages, kafka.Message{Value: []byte(value)})
			}
			OK(produce(target, messages, func(w *kafka.Writer) { w.Compression = codec }))
		}
		Same("values", values(readFrom(target, kafka.FirstOffset, 100)), wanted)
	})
	Add("keys-headers-nulls-and-timestamps", func() {
		target, at := topic(1), time.UnixMilli(1_600_000_000_123)
		OK(produce(target, []kafka.Message{
			{Key: []byte("k"), Value: []byte("v"), Time: at, Headers: []kafka.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}}},
			{Key: []byte("k"), Time: at.Add(time.Second)},
			{Value: []byte("w"), Time: at.Add(2 * time.Second)},
		}))
		got := readFrom(target, kafka.FirstOffset, 3)
		Same("first", fmt.Sprintf("%s %s %s=%s", got[0].Key, got[0].Value, got[0].Headers[1].Key, got[0].Headers[1].Value), "k v a=2")
		Same("empty", []int{len(got[1].Value), len(got[2].Key)}, []int{0, 0})
		for n, message := range got {
			Same("timestamp", message.Time.UnixMilli(), at.UnixMilli()+int64(n)*1000)
		}
	})
	Add("keyed-records-keep-their-partition", func() {
		target, places := topic(4), map[string]int{}
		var messages []kafka.Message
		for n := range 40 {
			messages = append(messages, kafka.Message{Key: fmt.Appendf(nil, "k%d", n%10), Value: []byte("v")})
		}
		OK(produce(target, messages, func(w *kafka.Writer) { w.Balancer = &kafka.Murmur2Balancer{} }))
		r := reader(target, inGroup(Name("kafka-go-group")))
		defer r.Close()
		for _, message := range read(r, 40) {
			if before, known := places[string(message.Key)]; known {
				Same("partition", message.Partition, before)
			}
			places[string(message.Key)] = message.Partition
		}
	})
	Add("acks", func() {
		target := topic(1)
		for _, acks := range []kafka.RequiredAcks{kafka.RequireNone, kafka.RequireOne, kafka.RequireAll} {
			OK(produce(target, numbered(1), func(w *kafka.Writer) { w.RequiredAcks = acks }))
		}
		readFrom(target, kafka.FirstOffset, 3)
	})
	Add("low-level-produce-and-fetch", func() {
		target := topic(1)
		produced := Must(client.Produce(ctx, &kafka.ProduceRequest{Topic: target, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("one"))}, kafka.Record{Value: kafka.NewBytes([]byte("two"))})}))
		Same("base offset", fmt.Sprint(produced.Error, produced.BaseOffset), "<nil> 0")
		fetched := Must(client.Fetch(ctx, &kafka.FetchRequest{Topic: target, Offset: 1, MinBytes: 1, MaxBytes: 1000, MaxWait: time.Second}))
		Same("bounds", fmt.Sprint(fetched.Error, fetched.HighWatermark, fetched.LastStableOffset, fetched.LogStartOffset), "<nil> 2 2 0")
		conn := Must(kafka.DialLeader(ctx, "tcp", Bootstrap(), target, 0))
		defer conn.Close()
		OK(conn.SetDeadline(time.Now().Add(10 * time.Second)))
		Must(conn.WriteMessages(kafka.Message{Value: []byte("three")}))
		first, last, err := conn.ReadOffsets()
		OK(err)
		Same("offsets", []int64{first, last}, []int64{0, 3})
		Must(conn.Seek(2, kafka.SeekAbsolute))
		Same("message", string(Must(conn.ReadMessage(1000)).Value), "three")
		Same("first offset at a time", Must(conn.ReadOffset(time.UnixMilli(1))), int64(0))
	})
	Add("large-messages", func() {
		target, small, big := topic(1, "max.message.bytes", "3000000"), topic(1, "max.message.bytes", "1000"), make([]byte, 2_500_000)
		large := func(w *kafka.Writer) { w.BatchBytes, w.MaxAttempts = 4_000_000, 1 }
		OK(produce(target, []kafka.Message{{Value: big}}, large))
		Same("size", len(readFrom(target, kafka.FirstOffset, 1)[0].Value), len(big))
		err := produce(small, []kafka.Message{{Value: big[:2000]}}, large)
		var all kafka.WriteErrors
		Same("too large", errors.As(err, &all) && errors.Is(all[0], kafka.MessageSizeTooLarge), true)
		OK(produce(small, numbered(1)))
	})
	Add("automatic-and-unknown-topics", func() {
		target := Name("kafka-go-auto")
		// The writer does not wait for the topic that it asked for: its first call fails.
		Until("the topic is made", func() bool {
			return produce(target, numbered(1), func(w *kafka.Writer) { w.AllowAutoTopicCreation = true }) == nil
		})
		Same("records", values(readFrom(target, kafka.FirstOffset, 1)), []string{"v0"})
		err := produce(Name("nowhere"), numbered(1), func(w *kafka.Writer) { w.MaxAttempts = 1 })
		Same("unknown", errors.Is(err, kafka.UnknownTopicOrPartition), true)
	})
}

func consuming() {
	Add("from-an-offset-a-time-and-the-end", func() {
		target, messages := topic(1), numbered(10)
		for n := range messages {
			messages[n].Time = time.UnixMilli(1_700_000_000_000 + int64(n)*1000)
		}
		OK(produce(target, messages))
		Same("offset", values(readFrom(target, 4, 6)), Numbered(4, 10))
		r := reader(target)
		defer r.Close()
		OK(r.SetOffsetAt(ctx, time.UnixMilli(1_700_000_004_500)))
		Same("time", values(read(r, 5)), Numbered(5, 10))
		Same("lag", Must(r.ReadLag(ctx)), int64(0))
		OK(r.SetOffset(kafka.LastOffset))
		go func() { _ = produce(target, []kafka.Message{{Value: []byte("new")}, {Value: []byte("newer")}}) }()
		got := read(r, 1)
		Same("the end", got[0].Offset >= 10, true)
		listed := Must(client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{target: {
			kafka.FirstOffsetOf(0), kafka.LastOffsetOf(0)}}}))
		Same("bounds", fmt.Sprint(listed.Topics[target][0].FirstOffset, listed.Topics[target][0].LastOffset >= 10), "0 true")
	})
}

func grouping() {
	Add("group-of-three-range", groupOfThree(kafka.RangeGroupBalancer{}))
	Add("group-of-three-round-robin", groupOfThree(kafka.RoundRobinGroupBalancer{}))
	Add("a-crashed-member-is-replaced", func() {
		target, group := topic(4), Name("kafka-go-group")
		stays := join(target, group, kafka.RangeGroupBalancer{})
		Until("4", share([]*member{stays}, 4))
		child := exec.Command(os.Args[0], "--member", target, group)
		OK(child.Start())
		Until("2", share([]*member{stays}, 2))
		OK(child.Process.Kill())
		_ = child.Wait()
		begun := time.Now()
		Until("all four", share([]*member{stays}, 4))
		Same("the session had to time out", time.Since(begun) > 2*time.Second, true)
		stays.leave()
	})
	Add("commit-and-resume", func() {
		target, group := filled(10), Name("kafka-go-group")
		r := reader(target, inGroup(group))
		OK(r.CommitMessages(ctx, read(r, 10)[3]))
		OK(r.Close())
		r = reader(target, inGroup(group))
		Same("the rest", values(read(r, 6)), Numbered(4, 10))
		described := Must(client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})).Groups[0]
		Same("described", fmt.Sprint(described.GroupState, len(described.Members), described.Members[0].MemberAssignments.Topics[0].Partitions), "Stable1 [0]")
		OK(r.Close())
		found := Must(client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{target: {0}}}))
		Same("stored", found.Topics[target][0].CommittedOffset, int64(4))
		Until("empty", func() bool { return state(group) == "Empty" })
		listed := false
		for _, each := range Must(client.ListGroups(ctx, &kafka.ListGroupsRequest{})).Groups {
			listed = listed || each.GroupID == group
		}
		Same("listed", listed, true)
		removed := Must(client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{target: {0}}}))
		Same("offset deleted", removed.Topics[target][0].Error, error(nil))
		Same("deleted", Must(client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})).Errors[group], error(nil))
	})
}

func administrating() {
	Add("topics-come-grow-and-go", func() {
		made := topic(2)
		Same("again", errors.Is(create(kafka.TopicConfig{Topic: made, NumPartitions: 1, ReplicationFactor: 1}), kafka.TopicAlreadyExists), true)
		Same("replicas", errors.Is(create(kafka.TopicConfig{Topic: Name("x"), NumPartitions: 1, ReplicationFactor: 3}), kafka.InvalidReplicationFactor), true)
		partitions := func() int {
			return len(Must(client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{made}})).Topics[0].Partitions)
		}
		Same("two", partitions(), 2)
		grown := Must(client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: made, Count: 5}}}))
		Same("grown", grown.Errors[made], error(nil))
		Until("five", func() bool { return partitions() == 5 })
		Same("gone", Must(client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{made}})).Errors[made], error(nil))
		Until("unknown", func() bool {
			return errors.Is(Must(client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{made}})).Topics[0].Error, kafka.UnknownTopicOrPartition)
		})
	})
	Add("configs", func() {
		made := topic(1, "retention.ms", "123456")
		get := func() string {
			answer := Must(client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
				{ResourceType: kafka.ResourceTypeTopic, ResourceName: made, ConfigNames: []string{"retention.ms"}}}}))
			return answer.Resources[0].ConfigEntries[0].ConfigValue
		}
		Same("set", get(), "123456")
		answer := Must(client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: made, Configs: []kafka.IncrementalAlterConfigsRequestConfig{
				{Name: "retention.ms", Value: "777", ConfigOperation: kafka.ConfigOperationSet}}}}}))
		Same("altered", answer.Resources[0].Error, error(nil))
		Until("changed", func() bool { return get() == "777" })
	})
	Add("api-versions", func() {
		answer := Must(client.ApiVersions(ctx, &kafka.ApiVersionsRequest{}))
		Same("error", answer.Error, error(nil))
		Same("many", len(answer.ApiKeys) > 20, true)
	})
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "--member" { // a member that never leaves: its parent kills it
		<-join(os.Args[2], os.Args[3], kafka.RangeGroupBalancer{}).done
		return
	}
	producing()
	consuming()
	grouping()
	administrating()
	Main()
}
