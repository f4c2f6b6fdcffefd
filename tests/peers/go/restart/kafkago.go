package main

import (
	"context"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	. "klamm.test/peers/checks"
)

type kafkaGo struct {
	writer  *kafka.Writer
	queue   chan func()
	pending sync.WaitGroup
}

// fresh is a client with connections of its own: the pool does not notice that a broker ended them.
func fresh() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(Bootstrap()), Timeout: 15 * time.Second, Transport: &kafka.Transport{}}
}

func newKafkaGo() client {
	k := &kafkaGo{
		writer: &kafka.Writer{Addr: kafka.TCP(Bootstrap()), BatchTimeout: 2 * time.Millisecond, RequiredAcks: kafka.RequireAll, MaxAttempts: 600,
			WriteBackoffMin: 100 * time.Millisecond, WriteBackoffMax: 100 * time.Millisecond, WriteTimeout: 2 * time.Second, ReadTimeout: 2 * time.Second,
			Transport: &kafka.Transport{DialTimeout: time.Second, MetadataTTL: 300 * time.Millisecond}},
		queue: make(chan func(), count),
	}
	go func() {
		for send := range k.queue {
			send()
		}
	}()
	return k
}

func (k *kafkaGo) exact() bool { return false }

func (k *kafkaGo) create(topic string) error {
	answer, err := fresh().CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (k *kafkaGo) reader(topic, group string) *kafka.Reader {
	config := kafka.ReaderConfig{Brokers: []string{Bootstrap()}, Topic: topic, GroupID: group, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 1_000_000,
		ReadBackoffMin: 50 * time.Millisecond, ReadBackoffMax: 300 * time.Millisecond, JoinGroupBackoff: 200 * time.Millisecond}
	if group != "" {
		config.StartOffset, config.SessionTimeout, config.HeartbeatInterval = kafka.FirstOffset, 6*time.Second, 500*time.Millisecond
	}
	return kafka.NewReader(config)
}

func (k *kafkaGo) consume(topic, group string, each func(string), stop <-chan struct{}) {
	reader := k.reader(topic, group)
	defer reader.Close()
	var last kafka.Message
	commit := func() bool {
		limited, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		return reader.CommitMessages(limited, last) == nil
	}
	for kept := true; ; {
		limited, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		message, err := reader.FetchMessage(limited)
		cancel()
		if err == nil {
			last = message
			each(string(message.Value))
			kept = message.Offset%50 == 0 && commit()
			continue
		}
		if !kept {
			kept = commit()
		}
		select {
		case <-stop:
			if kept {
				return
			}
		default:
		}
	}
}

// produce queues: the writer's call waits for the answer, and retries what the broker's absence made fail.
func (k *kafkaGo) produce(topic, value string, done func(error)) {
	k.pending.Add(1)
	k.queue <- func() {
		defer k.pending.Done()
		var err error
		for range 100 {
			if err = k.writer.WriteMessages(context.Background(), kafka.Message{Topic: topic, Value: []byte(value)}); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		done(err)
	}
}

func (k *kafkaGo) flush() { k.pending.Wait() }

func (k *kafkaGo) log(topic string) (values []string) {
	listed := Must(fresh().ListOffsets(context.Background(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(0)}}}))
	reader := k.reader(topic, "")
	defer reader.Close()
	limited, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for int64(len(values)) < listed.Topics[topic][0].LastOffset {
		message, err := reader.FetchMessage(limited)
		if err != nil {
			break
		}
		values = append(values, string(message.Value))
	}
	return values
}

func (k *kafkaGo) committed(topic, group string) int64 {
	found := Must(fresh().OffsetFetch(context.Background(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0}}}))
	return found.Topics[topic][0].CommittedOffset
}
