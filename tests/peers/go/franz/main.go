// The suite of franz-go: kgo to produce, consume and work in groups, kadm to administrate.
package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	. "klamm.test/peers/checks"
)

var (
	ctx   = context.Background()
	admin *kadm.Client
)

func client(options ...kgo.Opt) *kgo.Client {
	all := append([]kgo.Opt{
		kgo.SeedBrokers(Bootstrap()), kgo.FetchMaxWait(100 * time.Millisecond), kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.MetadataMaxAge(time.Second), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
	}, options...)
	return Must(kgo.NewClient(all...))
}

func topic(partitions int32, configs ...string) string {
	made, all := Name("franz"), map[string]*string{}
	for n := 0; n < len(configs); n += 2 {
		all[configs[n]] = kadm.StringPtr(configs[n+1])
	}
	Must(admin.CreateTopic(ctx, partitions, 1, all, made))
	return made
}

func produce(target string, records []*kgo.Record, options ...kgo.Opt) error {
	producer := client(append([]kgo.Opt{kgo.DefaultProduceTopic(target), kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)...)
	defer producer.Close()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return producer.ProduceSync(limited, records...).FirstErr()
}

func numbered(count int, partitions int32) []*kgo.Record {
	var records []*kgo.Record
	for n := range count {
		records = append(records, &kgo.Record{Value: fmt.Appendf(nil, "v%d", n), Partition: int32(n) % partitions})
	}
	return records
}

func filled(count int) string {
	made := topic(1)
	OK(produce(made, numbered(count, 1)))
	return made
}

func read(consumer *kgo.Client, count int) []*kgo.Record {
	var got []*kgo.Record
	Until(fmt.Sprint(count, " records"), func() bool {
		limited, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		fetches := consumer.PollFetches(limited)
		for _, problem := range fetches.Errors() {
			if !errors.Is(problem.Err, context.DeadlineExceeded) {
				Fail("%v", problem.Err)
			}
		}
		got = append(got, fetches.Records()...)
		return len(got) >= count
	})
	return got
}

func values(records []*kgo.Record) []string {
	var all []string
	for _, record := range records {
		all = append(all, string(record.Value))
	}
	return all
}

func readFrom(target string, offset kgo.Offset, count int) []string {
	consumer := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{target: {0: offset}}))
	defer consumer.Close()
	return values(read(consumer, count))
}

// member is a consumer in a group, polled by a goroutine of its own.
type member struct {
	client   *kgo.Client
	mu       sync.Mutex
	seen     map[string]bool
	assigned map[int32]bool
	lost     int
	done     chan struct{}
}

func join(target, group string, options ...kgo.Opt) *member {
	m := &member{seen: map[string]bool{}, assigned: map[int32]bool{}, done: make(chan struct{})}
	change := func(there bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, partition := range changed[target] {
				if there {
					m.assigned[partition] = true
				} else {
					delete(m.assigned, partition)
				}
			}
			if !there && len(changed[target]) > m.lost {
				m.lost = len(changed[target])
			}
		}
	}
	m.client = client(append([]kgo.Opt{
		kgo.ConsumeTopics(target), kgo.ConsumerGroup(group), kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(200 * time.Millisecond),
		kgo.RebalanceTimeout(6 * time.Second), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)),
	}, options...)...)
	go func() {
		defer close(m.done)
		for {
			fetches := m.client.PollFetches(ctx)
			if fetches.IsClientClosed() {
				return
			}
			m.mu.Lock()
			fetches.EachRecord(func(record *kgo.Record) { m.seen[string(record.Value)] = true })
			m.mu.Unlock()
		}
	}()
	return m
}

func (m *member) has() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.assigned)
}

func (m *member) leave() { m.client.Close(); <-m.done }

func share(members []*member, each int) func() bool {
	return func() bool {
		for _, m := range members {
			if m.has() != each {
				return false
			}
		}
		return true
	}
}

func groupOfThree(balancer kgo.GroupBalancer) func() {
	return func() {
		target, group, members := topic(6), Name("franz-group"), []*member{}
		for range 3 {
			members = append(members, join(target, group, kgo.Balancers(balancer)))
		}
		Until("2, 2, 2", share(members, 2))
		OK(produce(target, numbered(60, 6)))
		Until("60 records", func() bool {
			all := map[string]bool{}
			for _, m := range members {
				m.mu.Lock()
				for value := range m.seen {
					all[value] = true
				}
				m.mu.Unlock()
			}
			return len(all) == 60
		})
		members[2].leave()
		Until("3, 3", share(members[:2], 3))
		members[0].leave()
		members[1].leave()
		Until("empty", func() bool { return Must(admin.DescribeGroups(ctx, group))[group].State == "Empty" })
	}
}

func producing() {
	Add("compressions", func() {
		target, wanted := topic(1), []string{}
		for codec, option := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
			var records []*kgo.Record
			for n := range 20 {
				value := fmt.Sprintf("%d-%d-%0200d", codec, n, n)
				wanted, records = append(wanted, value), append(records, kgo.StringRecord(value))
			}
			OK(produce(target, records, kgo.ProducerBatchCompression(option)))
		}
		Same("values", readFrom(target, kgo.NewOffset().AtStart(), 100), wanted)
	})
	Add("keys-headers-nulls-and-timestamps", func() {
		target, at := topic(1), time.UnixMilli(1_600_000_000_123)
		OK(produce(target, []*kgo.Record{
			{Key: []byte("k"), Value: []byte("v"), Timestamp: at, Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}}},
			{Key: []byte("k"), Timestamp: at.Add(time.Second)},
			{Value: []byte{}, Timestamp: at.Add(2 * time.Second)},
		}))
		consumer := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{target: {0: kgo.NewOffset().AtStart()}}))
		defer consumer.Close()
		got := read(consumer, 3)
		Same("first", fmt.Sprintf("%s %s %v %v", got[0].Key, got[0].Value, got[0].Headers[0], got[0].Headers[1].Value == nil), "k v {a [49]} true")
		Same("nulls", []bool{got[1].Value == nil, got[2].Key == nil, got[2].Value == nil}, []bool{true, true, false})
		for n, record := range got {
			Same("timestamp", record.Timestamp.UnixMilli(), at.UnixMilli()+int64(n)*1000)
		}
	})
	Add("keyed-records-keep-their-partition", func() {
		target, places := topic(4), map[string]map[int32]bool{}
		producer := client(kgo.DefaultProduceTopic(target))
		defer producer.Close()
		for n := range 100 {
			record := Must(producer.ProduceSync(ctx, &kgo.Record{Key: fmt.Appendf(nil, "k%d", n%10)}).First())
			if places[string(record.Key)] == nil {
				places[string(record.Key)] = map[int32]bool{}
			}
			places[string(record.Key)][record.Partition] = true
		}
		for _, partitions := range places {
			Same("partitions of a key", len(partitions), 1)
		}
	})
	Add("log-append-time", func() {
		target := topic(1, "message.timestamp.type", "LogAppendTime")
		OK(produce(target, []*kgo.Record{{Value: []byte("v"), Timestamp: time.UnixMilli(1000)}}))
		consumer := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{target: {0: kgo.NewOffset().AtStart()}}))
		defer consumer.Close()
		record := read(consumer, 1)[0]
		Same("type", record.Attrs.TimestampType(), int8(1))
		Same("stamp", time.Since(record.Timestamp).Abs() < time.Minute, true)
	})
	Add("idempotent-producer", func() {
		target := topic(2)
		OK(produce(target, numbered(2000, 2), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(100)))
		got := readFrom(target, kgo.NewOffset().AtStart(), 1000)
		for n, value := range got {
			Same("in order", value, fmt.Sprintf("v%d", n*2))
		}
		state := Must(admin.DescribeProducers(ctx, kadm.TopicsSet{target: {0: {}}}))[target].Partitions[0].ActiveProducers
		Same("producers", len(state), 1)
	})
	Add("acks", func() {
		target := topic(1)
		for _, acks := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
			OK(produce(target, numbered(1, 1), kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite()))
		}
		Same("records", len(readFrom(target, kgo.NewOffset().AtStart(), 3)), 3)
	})
	Add("large-messages", func() {
		target, small, big := topic(1, "max.message.bytes", "3000000"), topic(1, "max.message.bytes", "1000"), make([]byte, 2_500_000)
		OK(produce(target, []*kgo.Record{{Value: big}}, kgo.ProducerBatchMaxBytes(3_000_000), kgo.ProducerBatchCompression(kgo.NoCompression())))
		Same("size", len(readFrom(target, kgo.NewOffset().AtStart(), 1)[0]), len(big))
		err := produce(small, []*kgo.Record{{Value: big[:2000]}}, kgo.ProducerBatchCompression(kgo.NoCompression()))
		Same("too large", errors.Is(err, kerr.MessageTooLarge), true)
		OK(produce(small, numbered(1, 1)))
	})
	Add("automatic-and-unknown-topics", func() {
		target := Name("franz-auto")
		OK(produce(target, numbered(1, 1), kgo.AllowAutoTopicCreation()))
		Same("records", readFrom(target, kgo.NewOffset().AtStart(), 1), []string{"v0"})
		err := produce(Name("nowhere"), numbered(1, 1), kgo.UnknownTopicRetries(1))
		Same("unknown topic", errors.Is(err, kerr.UnknownTopicOrPartition), true)
	})
	Add("api-versions", func() {
		versions := Must(admin.ApiVersions(ctx)).Sorted()
		Same("brokers", len(versions), 1)
		_, _, exists := versions[0].KeyVersions(0)
		Same("produce", exists, true)
	})
}

func consuming() {
	Add("from-an-offset-a-time-and-the-end", func() {
		target, records := topic(1), numbered(10, 1)
		for n, record := range records {
			record.Timestamp = time.UnixMilli(1_700_000_000_000 + int64(n)*1000)
		}
		OK(produce(target, records))
		Same("offset", readFrom(target, kgo.NewOffset().At(4), 6), Numbered(4, 10))
		Same("relative", readFrom(target, kgo.NewOffset().AtEnd().Relative(-2), 2), Numbered(8, 10))
		Same("time", readFrom(target, kgo.NewOffset().AfterMilli(1_700_000_004_500), 5), Numbered(5, 10))
		Same("out of range", readFrom(target, kgo.NewOffset().At(1000), 10), Numbered(0, 10))
		consumer := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{target: {0: kgo.NewOffset().AtEnd()}}))
		defer consumer.Close()
		got := make(chan []string, 1)
		Until("the end is known", func() bool {
			limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			consumer.PollFetches(limited)
			return true
		})
		go func() { got <- values(read(consumer, 1)) }()
		time.Sleep(200 * time.Millisecond)
		OK(produce(target, []*kgo.Record{kgo.StringRecord("new")}))
		Same("the end", <-got, []string{"new"})
	})
	Add("list-offsets", func() {
		target, records := topic(1), numbered(10, 1)
		for n, record := range records {
			record.Timestamp = time.UnixMilli(1_700_000_000_000 + int64(n*7%10)*1000)
		}
		OK(produce(target, records))
		place := func(listed kadm.ListedOffsets, err error) string {
			found, _ := Must(listed, err).Lookup(target, 0)
			return fmt.Sprint(found.Offset, " ", found.Timestamp, " ", found.Err)
		}
		Same("start", place(admin.ListStartOffsets(ctx, target)), "0 -1 <nil>")
		Same("end", place(admin.ListEndOffsets(ctx, target)), "10 -1 <nil>")
		Same("committed", place(admin.ListCommittedOffsets(ctx, target)), "10 -1 <nil>")
		Same("newest", place(admin.ListMaxTimestampOffsets(ctx, target)), "7 1700000009000 <nil>")
		Same("after", place(admin.ListOffsetsAfterMilli(ctx, 1_700_000_006_000, target)), "1 1700000007000 <nil>")
		Same("local", place(admin.ListLocalLogStartOffsets(ctx, target)), "0 -1 <nil>")
		epochs := Must(admin.OffsetForLeaderEpoch(ctx, kadm.OffsetForLeaderEpochRequest{target: {0: 0}}))
		Same("epoch", fmt.Sprint(epochs[target][0].EndOffset, epochs[target][0].LeaderEpoch), "10 0")
	})
	Add("many-partitions", func() {
		target := topic(20)
		OK(produce(target, numbered(400, 20)))
		consumer := client(kgo.ConsumeTopics(target), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		defer consumer.Close()
		got := values(read(consumer, 400))
		sort.Strings(got)
		Same("distinct", got[0] != got[1], true)
		consumer.PauseFetchTopics(target)
		consumer.ResumeFetchTopics(target)
		OK(produce(target, []*kgo.Record{kgo.StringRecord("late")}))
		Same("late", values(read(consumer, 1)), []string{"late"})
	})
	Add("a-waiting-fetch-wakes", func() {
		target := filled(1)
		consumer := client(kgo.FetchMaxWait(5*time.Second), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{target: {0: kgo.NewOffset().At(1)}}))
		defer consumer.Close()
		time.AfterFunc(300*time.Millisecond, func() { _ = produce(target, numbered(1, 1)) })
		begun := time.Now()
		read(consumer, 1)
		Same("soon", time.Since(begun) < 3*time.Second, true)
	})
}

func grouping() {
	Add("group-of-three-range", groupOfThree(kgo.RangeBalancer()))
	Add("group-of-three-round-robin", groupOfThree(kgo.RoundRobinBalancer()))
	Add("group-of-three-sticky", groupOfThree(kgo.StickyBalancer()))
	Add("group-of-three-cooperative-sticky", groupOfThree(kgo.CooperativeStickyBalancer()))
	Add("cooperative-rebalance-keeps-most", func() {
		target, group := topic(6), Name("franz-group")
		first := join(target, group, kgo.Balancers(kgo.CooperativeStickyBalancer()))
		Until("6", share([]*member{first}, 6))
		second := join(target, group, kgo.Balancers(kgo.CooperativeStickyBalancer()))
		Until("3, 3", share([]*member{first, second}, 3))
		Same("revoked at once", first.lost, 3)
		second.leave()
		first.leave()
	})
	Add("a-crashed-member-is-replaced", func() {
		target, group := topic(4), Name("franz-group")
		stays := join(target, group)
		dies := join(target, group, kgo.InstanceID("dies"))
		Until("2, 2", share([]*member{stays, dies}, 2))
		dies.leave() // a static member does not say that it goes
		begun := time.Now()
		Until("all four", share([]*member{stays}, 4))
		Same("the session had to time out", time.Since(begun) > 2*time.Second, true)
		stays.leave()
	})
	Add("static-members", func() {
		target, group := topic(4), Name("franz-group")
		zero, one := join(target, group, kgo.InstanceID("static-0")), join(target, group, kgo.InstanceID("static-1"))
		Until("2, 2", share([]*member{zero, one}, 2))
		before := fmt.Sprint(one.assigned)
		one.leave()
		one = join(target, group, kgo.InstanceID("static-1"))
		Until("2, 2 again", share([]*member{zero, one}, 2))
		Same("the same partitions", fmt.Sprint(one.assigned), before)
		one.leave()
		left := Must(admin.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("static-1").Reason("check")))
		OK(left.Error())
		Until("all four", share([]*member{zero}, 4))
		zero.leave()
	})
	Add("commit-resume-and-lag", func() {
		target, group := filled(10), Name("franz-group")
		options := []kgo.Opt{kgo.ConsumeTopics(target), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
		consumer := client(options...)
		got := read(consumer, 10)
		OK(consumer.CommitRecords(ctx, got[3]))
		consumer.Close()
		lag := Must(admin.Lag(ctx, group))[group]
		Same("lag", lag.Lag.Total(), int64(6))
		consumer = client(options...)
		Same("the rest", values(read(consumer, 6)), Numbered(4, 10))
		consumer.Close()
	})
	Add("automatic-commit", func() {
		target, group := filled(10), Name("franz-group")
		consumer := client(kgo.ConsumeTopics(target), kgo.ConsumerGroup(group), kgo.AutoCommitInterval(200*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		read(consumer, 10)
		limited, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		consumer.PollFetches(limited)
		consumer.Close()
		found, _ := Must(admin.FetchOffsets(ctx, group)).Lookup(target, 0)
		Same("committed", found.At, int64(10))
	})
	Add("offsets-of-groups", func() {
		target, group := filled(10), Name("franz-group")
		OK(admin.CommitAllOffsets(ctx, group, kadm.Offsets{target: {0: {Topic: target, Partition: 0, At: 7, LeaderEpoch: -1, Metadata: "m"}}}))
		found, _ := Must(admin.FetchOffsets(ctx, group)).Lookup(target, 0)
		Same("offset", fmt.Sprint(found.At, found.Metadata), "7m")
		many := admin.FetchManyOffsets(ctx, group, Name("franz-group"))
		Same("several groups at once", len(many), 2)
		OK(many.Error())
		m := join(target, group)
		Until("v9", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.seen["v9"] })
		Same("from 7", len(m.seen), 3)
		described := Must(admin.DescribeGroups(ctx, group))[group]
		Same("described", fmt.Sprint(described.State, described.ProtocolType, described.Protocol, len(described.Members)), "Stableconsumercooperative-sticky1")
		_, err := admin.DeleteGroup(ctx, group)
		Same("not empty", errors.Is(err, kerr.NonEmptyGroup), true)
		m.leave()
		Same("listed", Must(admin.ListGroups(ctx, "Empty"))[group].ProtocolType, "consumer")
		deleted := Must(admin.DeleteOffsets(ctx, group, kadm.TopicsSet{target: {0: {}}}))
		OK(deleted.Error())
		_, there := Must(admin.FetchOffsets(ctx, group)).Lookup(target, 0)
		Same("deleted", there, false)
		Must(admin.DeleteGroup(ctx, group))
		_, err = admin.DeleteGroup(ctx, group)
		Same("gone", errors.Is(err, kerr.GroupIDNotFound), true)
	})
}

func administrating() {
	Add("topics-come-grow-and-go", func() {
		made := topic(2)
		refuse := func(wanted *kerr.Error, partitions int32, replicas int16, name string) {
			_, err := admin.CreateTopic(ctx, partitions, replicas, nil, name)
			if !errors.Is(err, wanted) {
				Fail("%s: %v, wanted %v", name, err, wanted)
			}
		}
		refuse(kerr.TopicAlreadyExists, 1, 1, made)
		refuse(kerr.InvalidReplicationFactor, 1, 3, Name("x"))
		refuse(kerr.InvalidPartitions, 0, 1, Name("x"))
		refuse(kerr.InvalidTopicException, 1, 1, "in valid")
		checked := Name("x")
		OK(Must(admin.ValidateCreateTopics(ctx, 1, 1, nil, checked)).Error())
		Same("validate only", Must(admin.ListTopics(ctx)).Has(checked), false)
		OK(Must(admin.UpdatePartitions(ctx, 5, made)).Error())
		Until("five", func() bool { return len(Must(admin.ListTopics(ctx, made))[made].Partitions) == 5 })
		Same("fewer", errors.Is(Must(admin.UpdatePartitions(ctx, 3, made)).Error(), kerr.InvalidPartitions), true)
		Must(admin.DeleteTopic(ctx, made))
		Until("gone", func() bool { return !Must(admin.ListTopics(ctx)).Has(made) })
		_, err := admin.DeleteTopic(ctx, made)
		Same("deleted twice", errors.Is(err, kerr.UnknownTopicOrPartition), true)
	})
	Add("configs", func() {
		made := topic(1, "retention.ms", "123456")
		get := func(key string) string {
			for _, config := range Must(admin.DescribeTopicConfigs(ctx, made))[0].Configs {
				if config.Key == key {
					return fmt.Sprint(config.MaybeValue(), " ", config.Source)
				}
			}
			return "none"
		}
		Same("set", get("retention.ms"), "123456 DYNAMIC_TOPIC_CONFIG")
		Same("default", get("segment.bytes"), "1073741824 DEFAULT_CONFIG")
		alter := func(op kadm.IncrementalOp, key, value string) error {
			return Must(admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: key, Value: &value}}, made))[0].Err
		}
		OK(alter(kadm.SetConfig, "retention.ms", "777"))
		OK(alter(kadm.AppendConfig, "cleanup.policy", "compact"))
		Until("changed", func() bool { return get("retention.ms") == "777 DYNAMIC_TOPIC_CONFIG" })
		Same("appended", get("cleanup.policy"), "delete,compact DYNAMIC_TOPIC_CONFIG")
		OK(alter(kadm.DeleteConfig, "retention.ms", ""))
		Until("back", func() bool { return get("retention.ms") == "604800000 DEFAULT_CONFIG" })
		Same("bad value", errors.Is(alter(kadm.SetConfig, "retention.ms", "soon"), kerr.InvalidConfig), true)
		state := Must(admin.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "max.message.bytes", Value: kadm.StringPtr("2000")}}, made))
		OK(state[0].Err)
		Until("all replaced", func() bool { return get("cleanup.policy") == "delete DEFAULT_CONFIG" })
	})
	Add("brokers-and-log-dirs", func() {
		brokers := Must(admin.ListBrokers(ctx))
		Same("address", fmt.Sprintf("%s:%d", brokers[0].Host, brokers[0].Port), Bootstrap())
		target := filled(5)
		dirs := Must(admin.DescribeAllLogDirs(ctx, nil))
		var size int64
		dirs.Each(func(dir kadm.DescribedLogDir) {
			if found, there := dir.Topics.Lookup(target, 0); there {
				size += found.Size
			}
		})
		Same("a size", size > 60, true)
		Same("controller", Must(admin.BrokerMetadata(ctx)).Controller, brokers[0].NodeID)
		configs := Must(admin.DescribeBrokerConfigs(ctx, brokers[0].NodeID))
		Same("broker configs", len(configs[0].Configs) > 200, true)
	})
	Add("delete-records", func() {
		target := filled(10)
		deleted := Must(admin.DeleteRecords(ctx, kadm.Offsets{target: {0: {Topic: target, At: 6}}}))
		OK(deleted.Error())
		Same("low watermark", deleted[target][0].LowWatermark, int64(6))
		Same("left", readFrom(target, kgo.NewOffset().AtStart(), 4), Numbered(6, 10))
		beyond := Must(admin.DeleteRecords(ctx, kadm.Offsets{target: {0: {Topic: target, At: 100}}}))
		Same("beyond", errors.Is(beyond.Error(), kerr.OffsetOutOfRange), true)
	})
	Add("a-topic-made-again-is-another", func() {
		target := filled(3)
		consumer := client(kgo.ConsumeTopics(target), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		defer consumer.Close()
		read(consumer, 3)
		old := Must(admin.ListTopics(ctx, target))[target].ID
		Must(admin.DeleteTopic(ctx, target))
		Until("gone", func() bool { return !Must(admin.ListTopics(ctx)).Has(target) })
		Must(admin.CreateTopic(ctx, 1, 1, nil, target))
		// The client remembers what it asked a moment ago, hence the wait.
		Until("another id", func() bool { return Must(admin.ListTopics(ctx, target))[target].ID != old })
		OK(produce(target, []*kgo.Record{kgo.StringRecord("new")}))
		Same("new content", readFrom(target, kgo.NewOffset().AtStart(), 1), []string{"new"})
	})
}

func main() {
	base := client()
	admin = kadm.NewClient(base)
	producing()
	consuming()
	grouping()
	administrating()
	Main()
}
