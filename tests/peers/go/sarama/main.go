// The suite of sarama: sync and async producers, partition consumers, consumer groups, cluster admin.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	. "klamm.test/peers/checks"
)

var (
	ctx     = context.Background()
	admin   sarama.ClusterAdmin
	brokers = []string{Bootstrap()}
)

func config(changes ...func(*sarama.Config)) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V4_1_0_0
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Metadata.Retry.Backoff = 50 * time.Millisecond
	c.Metadata.AllowAutoTopicCreation = false
	c.Producer.Retry.Backoff = 50 * time.Millisecond
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	c.Consumer.Group.Rebalance.Timeout = 6 * time.Second
	c.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	for _, change := range changes {
		change(c)
	}
	return c
}

func topic(partitions int32, configs ...string) string {
	made, entries := Name("sarama"), map[string]*string{}
	for n := 0; n < len(configs); n += 2 {
		entries[configs[n]] = &configs[n+1]
	}
	OK(admin.CreateTopic(made, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: entries}, false))
	return made
}

func produce(messages []*sarama.ProducerMessage, changes ...func(*sarama.Config)) error {
	producer, err := sarama.NewSyncProducer(brokers, config(changes...))
	if err != nil {
		return err
	}
	defer producer.Close()
	return producer.SendMessages(messages)
}

func numbered(target string, count int, partitions int32) []*sarama.ProducerMessage {
	var all []*sarama.ProducerMessage
	for n := range count {
		all = append(all, &sarama.ProducerMessage{Topic: target, Partition: int32(n) % partitions, Value: sarama.StringEncoder(fmt.Sprint("v", n))})
	}
	return all
}

func filled(count int) string {
	made := topic(1)
	OK(produce(numbered(made, count, 1)))
	return made
}

func read(target string, partition int32, offset int64, count int, changes ...func(*sarama.Config)) []*sarama.ConsumerMessage {
	consumer := Must(sarama.NewConsumer(brokers, config(changes...)))
	defer consumer.Close()
	part := Must(consumer.ConsumePartition(target, partition, offset))
	defer part.Close()
	var got []*sarama.ConsumerMessage
	for deadline := time.After(20 * time.Second); len(got) < count; {
		select {
		case message := <-part.Messages():
			got = append(got, message)
		case <-deadline:
			Fail("%d of %d messages in time", len(got), count)
		}
	}
	return got
}

func values(messages []*sarama.ConsumerMessage) []string {
	var all []string
	for _, message := range messages {
		all = append(all, string(message.Value))
	}
	return all
}

// member is one of a group; its handler counts what it is assigned and what it reads.
type member struct {
	group    sarama.ConsumerGroup
	cancel   context.CancelFunc
	done     chan struct{}
	mu       sync.Mutex
	assigned int
	seen     map[string]bool
	commit   bool
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.assigned = 0
	for _, partitions := range session.Claims() {
		m.assigned += len(partitions)
	}
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.assigned = 0
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.mu.Lock()
		m.seen[string(message.Value)] = true
		m.mu.Unlock()
		if m.commit {
			session.MarkMessage(message, "note")
			session.Commit()
		}
	}
	return nil
}

func (m *member) read(value string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[value]
}

func join(target, group string, changes ...func(*sarama.Config)) *member {
	m := &member{seen: map[string]bool{}, done: make(chan struct{}), commit: true}
	m.group = Must(sarama.NewConsumerGroup(brokers, group, config(changes...)))
	var running context.Context
	running, m.cancel = context.WithCancel(ctx)
	go func() {
		defer close(m.done)
		for running.Err() == nil {
			if err := m.group.Consume(running, []string{target}, m); errors.Is(err, sarama.ErrClosedConsumerGroup) {
				return
			}
		}
	}()
	return m
}

func (m *member) leave() {
	m.cancel()
	<-m.done
	_ = m.group.Close()
}

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

func state(group string) string { return Must(admin.DescribeConsumerGroups([]string{group}))[0].State }

func groupOfThree(strategy sarama.BalanceStrategy) func() {
	return func() {
		target, group, members := topic(6), Name("sarama-group"), []*member{}
		for range 3 {
			members = append(members, join(target, group, func(c *sarama.Config) {
				c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
			}))
		}
		Until("2, 2, 2", share(members, 2))
		OK(produce(numbered(target, 60, 6)))
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
		Until("empty", func() bool { return state(group) == "Empty" })
	}
}

func producing() {
	Add("compressions", func() {
		target, wanted := topic(1), []string{}
		for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
			var messages []*sarama.ProducerMessage
			for n := range 20 {
				value := fmt.Sprintf("%v-%d-%0200d", codec, n, n)
				wanted, messages = append(wanted, value), append(messages, &sarama.ProducerMessage{Topic: target, Value: sarama.StringEncoder(value)})
			}
			OK(produce(messages, func(c *sarama.Config) { c.Producer.Compression = codec }))
		}
		Same("values", values(read(target, 0, sarama.OffsetOldest, 100)), wanted)
	})
	Add("keys-headers-nulls-and-timestamps", func() {
		target, at := topic(1), time.UnixMilli(1_600_000_000_123)
		OK(produce([]*sarama.ProducerMessage{
			{Topic: target, Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder("v"), Timestamp: at,
				Headers: []sarama.RecordHeader{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte("2")}}},
			{Topic: target, Key: sarama.StringEncoder("k"), Timestamp: at.Add(time.Second)},
			{Topic: target, Value: sarama.StringEncoder(""), Timestamp: at.Add(2 * time.Second)},
		}))
		got := read(target, 0, sarama.OffsetOldest, 3)
		Same("first", fmt.Sprintf("%s %s %s=%s", got[0].Key, got[0].Value, got[0].Headers[1].Key, got[0].Headers[1].Value), "k v a=2")
		Same("nulls", []bool{got[1].Value == nil, got[2].Key == nil, got[2].Value == nil}, []bool{true, true, false})
		for n, message := range got {
			Same("timestamp", message.Timestamp.UnixMilli(), at.UnixMilli()+int64(n)*1000)
		}
	})
	Add("keyed-records-keep-their-partition", func() {
		target, places := topic(4), map[int]map[int32]bool{}
		producer := Must(sarama.NewSyncProducer(brokers, config(func(c *sarama.Config) { c.Producer.Partitioner = sarama.NewHashPartitioner })))
		defer producer.Close()
		for n := range 40 {
			partition, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: target, Key: sarama.StringEncoder(fmt.Sprint("k", n%10))})
			OK(err)
			if places[n%10] == nil {
				places[n%10] = map[int32]bool{}
			}
			places[n%10][partition] = true
		}
		for _, partitions := range places {
			Same("partitions of a key", len(partitions), 1)
		}
	})
	Add("log-append-time", func() {
		target := topic(1, "message.timestamp.type", "LogAppendTime")
		OK(produce([]*sarama.ProducerMessage{{Topic: target, Timestamp: time.UnixMilli(1000)}}))
		Same("stamp", time.Since(read(target, 0, sarama.OffsetOldest, 1)[0].Timestamp).Abs() < time.Minute, true)
	})
	Add("idempotent-producer", func() {
		target := topic(2)
		OK(produce(numbered(target, 1000, 2), func(c *sarama.Config) {
			c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
			c.Producer.Flush.MaxMessages = 50
		}))
		for n, value := range values(read(target, 0, sarama.OffsetOldest, 500)) {
			Same("in order", value, fmt.Sprint("v", n*2))
		}
	})
	Add("acks", func() {
		target := topic(1)
		for _, acks := range []sarama.RequiredAcks{sarama.NoResponse, sarama.WaitForLocal, sarama.WaitForAll} {
			OK(produce(numbered(target, 1, 1), func(c *sarama.Config) { c.Producer.RequiredAcks = acks }))
		}
		read(target, 0, sarama.OffsetOldest, 3)
	})
	Add("large-messages", func() {
		target, small, big := topic(1, "max.message.bytes", "3000000"), topic(1, "max.message.bytes", "1000"), make([]byte, 2_500_000)
		large := func(c *sarama.Config) { c.Producer.MaxMessageBytes = 3_000_000 }
		OK(produce([]*sarama.ProducerMessage{{Topic: target, Value: sarama.ByteEncoder(big)}}, large))
		Same("size", len(read(target, 0, sarama.OffsetOldest, 1)[0].Value), len(big))
		err := produce([]*sarama.ProducerMessage{{Topic: small, Value: sarama.ByteEncoder(big[:2000])}})
		var all sarama.ProducerErrors
		Same("too large", errors.As(err, &all) && errors.Is(all[0].Err, sarama.ErrMessageSizeTooLarge), true)
		OK(produce(numbered(small, 1, 1)))
	})
	Add("automatic-and-unknown-topics", func() {
		target := Name("sarama-auto")
		OK(produce(numbered(target, 1, 1), func(c *sarama.Config) { c.Metadata.AllowAutoTopicCreation = true; c.Metadata.Retry.Max = 20 }))
		Same("records", values(read(target, 0, sarama.OffsetOldest, 1)), []string{"v0"})
		err := produce(numbered(Name("nowhere"), 1, 1), func(c *sarama.Config) { c.Metadata.Retry.Max, c.Producer.Retry.Max = 0, 0 })
		var all sarama.ProducerErrors
		Same("unknown", errors.As(err, &all) && errors.Is(all[0].Err, sarama.ErrUnknownTopicOrPartition), true)
	})
	Add("old-versions", func() {
		old := func(c *sarama.Config) { c.Version = sarama.V2_1_0_0 }
		target := topic(1)
		OK(produce(numbered(target, 5, 1), old))
		Same("records", values(read(target, 0, sarama.OffsetOldest, 5, old)), Numbered(0, 5))
	})
}

func consuming() {
	Add("from-an-offset-a-time-and-the-end", func() {
		target := topic(1)
		messages := numbered(target, 10, 1)
		for n, message := range messages {
			message.Timestamp = time.UnixMilli(1_700_000_000_000 + int64(n)*1000)
		}
		OK(produce(messages))
		Same("offset", values(read(target, 0, 4, 6)), Numbered(4, 10))
		client := Must(sarama.NewClient(brokers, config()))
		defer client.Close()
		Same("time", Must(client.GetOffset(target, 0, 1_700_000_004_500)), int64(5))
		Same("late time", Must(client.GetOffset(target, 0, 1_800_000_000_000)), int64(-1))
		Same("bounds", []int64{Must(client.GetOffset(target, 0, sarama.OffsetOldest)), Must(client.GetOffset(target, 0, sarama.OffsetNewest))}, []int64{0, 10})
		consumer := Must(sarama.NewConsumerFromClient(client))
		part := Must(consumer.ConsumePartition(target, 0, sarama.OffsetNewest))
		defer part.Close()
		OK(produce([]*sarama.ProducerMessage{{Topic: target, Value: sarama.StringEncoder("new")}}))
		select {
		case message := <-part.Messages():
			Same("the end", string(message.Value), "new")
		case <-time.After(10 * time.Second):
			Fail("nothing from the end")
		}
		Same("high watermark", part.HighWaterMarkOffset(), int64(11))
		_, err := Must(sarama.NewConsumer(brokers, config())).ConsumePartition(target, 0, 1000)
		Same("out of range", errors.Is(err, sarama.ErrOffsetOutOfRange), true)
	})
}

func grouping() {
	Add("group-of-three-range", groupOfThree(sarama.NewBalanceStrategyRange()))
	Add("group-of-three-round-robin", groupOfThree(sarama.NewBalanceStrategyRoundRobin()))
	Add("group-of-three-sticky", groupOfThree(sarama.NewBalanceStrategySticky()))
	Add("static-members-and-a-crash", func() {
		target, group := topic(4), Name("sarama-group")
		static := func(id string) func(*sarama.Config) {
			return func(c *sarama.Config) { c.Consumer.Group.InstanceId = id }
		}
		zero, one := join(target, group, static("static-0")), join(target, group, static("static-1"))
		Until("2, 2", share([]*member{zero, one}, 2))
		one.leave() // a static member does not say that it goes
		Same("nobody left", len(Must(admin.DescribeConsumerGroups([]string{group}))[0].Members), 2)
		begun := time.Now()
		Until("all four", share([]*member{zero}, 4))
		Same("the session had to time out", time.Since(begun) > 2*time.Second, true)
		zero.leave()
		removed := Must(admin.RemoveMemberFromConsumerGroup(group, []string{"static-0"}))
		Same("removed", removed.Err, sarama.ErrNoError)
		Until("empty", func() bool { return state(group) == "Empty" })
	})
	Add("commit-and-resume", func() {
		target, group := filled(4), Name("sarama-group")
		first := join(target, group)
		Until("v3", func() bool { return first.read("v3") })
		Until("committed", func() bool {
			found := Must(admin.ListConsumerGroupOffsets(group, map[string][]int32{target: {0}})).GetBlock(target, 0)
			return found.Offset == 4 && found.Metadata == "note"
		})
		first.leave()
		OK(produce([]*sarama.ProducerMessage{{Topic: target, Value: sarama.StringEncoder("more")}}))
		second := join(target, group)
		Until("more", func() bool { return second.read("more") })
		Same("not the old ones", len(second.seen), 1)
		described := Must(admin.DescribeConsumerGroups([]string{group}))[0]
		Same("described", fmt.Sprint(described.State, described.ProtocolType, described.Protocol, len(described.Members)), "Stableconsumerrange1")
		Same("not empty", errors.Is(admin.DeleteConsumerGroup(group), sarama.ErrNonEmptyGroup), true)
		second.leave()
		Same("listed", Must(admin.ListConsumerGroups())[group], "consumer")
		OK(admin.DeleteConsumerGroupOffset(group, target, 0))
		Same("deleted", Must(admin.ListConsumerGroupOffsets(group, map[string][]int32{target: {0}})).GetBlock(target, 0).Offset, int64(-1))
		OK(admin.DeleteConsumerGroup(group))
		Same("gone", errors.Is(admin.DeleteConsumerGroup(group), sarama.ErrGroupIDNotFound), true)
	})
	Add("offset-manager", func() {
		target, group := filled(10), Name("sarama-group")
		client := Must(sarama.NewClient(brokers, config()))
		defer client.Close()
		manager := Must(sarama.NewOffsetManagerFromClient(group, client))
		part := Must(manager.ManagePartition(target, 0))
		part.MarkOffset(7, "m")
		manager.Commit()
		part.AsyncClose()
		OK(manager.Close())
		Same("stored", Must(admin.ListConsumerGroupOffsets(group, map[string][]int32{target: {0}})).GetBlock(target, 0).Offset, int64(7))
	})
}

func administrating() {
	Add("topics-come-grow-and-go", func() {
		made := topic(2)
		refuse := func(wanted sarama.KError, detail sarama.TopicDetail, name string) {
			err := admin.CreateTopic(name, &detail, false)
			if !errors.Is(err, wanted) {
				Fail("%s: %v, wanted %v", name, err, wanted)
			}
		}
		refuse(sarama.ErrTopicAlreadyExists, sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, made)
		refuse(sarama.ErrInvalidReplicationFactor, sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}, Name("x"))
		refuse(sarama.ErrInvalidTopic, sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, "in valid")
		OK(admin.CreateTopic(Name("x"), &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, true))
		OK(admin.CreatePartitions(made, 5, nil, false))
		Until("five", func() bool { return len(Must(admin.DescribeTopics([]string{made}))[0].Partitions) == 5 })
		Same("listed", Must(admin.ListTopics())[made].NumPartitions, int32(5))
		OK(admin.DeleteTopic(made))
		Until("gone", func() bool { _, there := Must(admin.ListTopics())[made]; return !there })
		Same("twice", errors.Is(admin.DeleteTopic(made), sarama.ErrUnknownTopicOrPartition), true)
	})
	Add("configs", func() {
		made := topic(1, "retention.ms", "123456")
		get := func() string {
			entries := Must(admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: made, ConfigNames: []string{"retention.ms"}}))
			return entries[0].Value
		}
		Same("set", get(), "123456")
		value := "777"
		OK(admin.IncrementalAlterConfig(sarama.TopicResource, made, map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}, false))
		Until("changed", func() bool { return get() == "777" })
		value = "888"
		OK(admin.AlterConfig(sarama.TopicResource, made, map[string]*string{"retention.ms": &value}, false))
		Until("changed the old way", func() bool { return get() == "888" })
	})
	Add("cluster-and-log-dirs", func() {
		found, controller, err := admin.DescribeCluster()
		OK(err)
		Same("controller", found[0].ID(), controller)
		target, size := filled(5), int64(0)
		for _, dirs := range Must(admin.DescribeLogDirs([]int32{controller})) {
			for _, dir := range dirs {
				for _, each := range dir.Topics {
					if each.Topic == target {
						size += each.Partitions[0].Size
					}
				}
			}
		}
		Same("a size", size > 60, true)
	})
	Add("delete-records", func() {
		target := filled(10)
		OK(admin.DeleteRecords(target, map[int32]int64{0: 6}))
		Same("left", values(read(target, 0, sarama.OffsetOldest, 4)), Numbered(6, 10))
	})
}

func main() {
	var err error
	if admin, err = sarama.NewClusterAdmin(brokers, config()); err != nil {
		fmt.Println("FAIL connect:", err)
		return
	}
	producing()
	consuming()
	grouping()
	administrating()
	Main()
}
