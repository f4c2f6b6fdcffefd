package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
	. "klamm.test/peers/checks"
)

type saramaClient struct {
	producer sarama.AsyncProducer
	pending  sync.WaitGroup
}

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V4_1_0_0
	c.Net.DialTimeout = time.Second
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 200, 100*time.Millisecond
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 400, 100*time.Millisecond
	c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Consumer.MaxWaitTime, c.Consumer.Retry.Backoff = 100*time.Millisecond, 100*time.Millisecond
	c.Consumer.Offsets.Initial, c.Consumer.Offsets.AutoCommit.Enable = sarama.OffsetOldest, true
	c.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	c.Consumer.Group.Session.Timeout, c.Consumer.Group.Heartbeat.Interval = 6*time.Second, 500*time.Millisecond
	return c
}

func newSarama() client {
	s := &saramaClient{producer: Must(sarama.NewAsyncProducer([]string{Bootstrap()}, saramaConfig()))}
	go func() {
		for message := range s.producer.Successes() {
			message.Metadata.(func(error))(nil)
			s.pending.Done()
		}
	}()
	go func() {
		for problem := range s.producer.Errors() {
			problem.Msg.Metadata.(func(error))(problem.Err)
			s.pending.Done()
		}
	}()
	return s
}

func (s *saramaClient) exact() bool { return true }

func (s *saramaClient) create(topic string) error {
	admin := Must(sarama.NewClusterAdmin([]string{Bootstrap()}, saramaConfig()))
	defer admin.Close()
	return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
}

type reading func(string)

func (reading) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (reading) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (each reading) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			each(string(message.Value))
			session.MarkMessage(message, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

func (s *saramaClient) consume(topic, group string, each func(string), stop <-chan struct{}) {
	member := Must(sarama.NewConsumerGroup([]string{Bootstrap()}, group, saramaConfig()))
	running, cancel := context.WithCancel(context.Background())
	go func() {
		<-stop
		time.Sleep(500 * time.Millisecond) // two of the intervals at which it commits
		cancel()
	}()
	for running.Err() == nil {
		if err := member.Consume(running, []string{topic}, reading(each)); err != nil && !errors.Is(err, context.Canceled) {
			time.Sleep(100 * time.Millisecond) // the broker is away
		}
	}
	_ = member.Close()
}

func (s *saramaClient) produce(topic, value string, done func(error)) {
	s.pending.Add(1)
	s.producer.Input() <- &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value), Metadata: done}
}

func (s *saramaClient) flush() { s.pending.Wait() }

func (s *saramaClient) log(topic string) (values []string) {
	base := Must(sarama.NewClient([]string{Bootstrap()}, saramaConfig()))
	defer base.Close()
	end := Must(base.GetOffset(topic, 0, sarama.OffsetNewest))
	part := Must(Must(sarama.NewConsumerFromClient(base)).ConsumePartition(topic, 0, sarama.OffsetOldest))
	defer part.Close()
	for deadline := time.After(20 * time.Second); int64(len(values)) < end; {
		select {
		case message := <-part.Messages():
			values = append(values, string(message.Value))
		case <-deadline:
			return values
		}
	}
	return values
}

func (s *saramaClient) committed(topic, group string) int64 {
	admin := Must(sarama.NewClusterAdmin([]string{Bootstrap()}, saramaConfig()))
	defer admin.Close()
	return Must(admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})).GetBlock(topic, 0).Offset
}
