package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	. "klamm.test/peers/checks"
)

type franz struct{ base *kgo.Client }

func franzClient(options ...kgo.Opt) *kgo.Client {
	return Must(kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(Bootstrap()), kgo.FetchMaxWait(100 * time.Millisecond), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }), kgo.RetryTimeout(time.Minute),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}, options...)...))
}

func newFranz() client { return &franz{franzClient()} }

func (f *franz) exact() bool { return true }

func (f *franz) create(topic string) error {
	_, err := kadm.NewClient(f.base).CreateTopic(context.Background(), 1, 1, nil, topic)
	return err
}

func (f *franz) consume(topic, group string, each func(string), stop <-chan struct{}) {
	member := franzClient(kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond))
	defer member.Close()
	for kept := false; ; {
		limited, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		fetches := member.PollFetches(limited)
		cancel()
		fetches.EachRecord(func(record *kgo.Record) { each(string(record.Value)) })
		kept = kept && fetches.NumRecords() == 0
		if !kept {
			limited, cancel = context.WithTimeout(context.Background(), 2*time.Second)
			kept = member.CommitUncommittedOffsets(limited) == nil
			cancel()
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

func (f *franz) produce(topic, value string, done func(error)) {
	f.base.Produce(context.Background(), &kgo.Record{Topic: topic, Value: []byte(value)}, func(_ *kgo.Record, err error) { done(err) })
}

func (f *franz) flush() { OK(f.base.Flush(context.Background())) }

func (f *franz) log(topic string) (values []string) {
	end, _ := Must(kadm.NewClient(f.base).ListEndOffsets(context.Background(), topic)).Lookup(topic, 0)
	reader := franzClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	defer reader.Close()
	limited, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for int64(len(values)) < end.Offset && limited.Err() == nil {
		reader.PollFetches(limited).EachRecord(func(record *kgo.Record) { values = append(values, string(record.Value)) })
	}
	return values
}

func (f *franz) committed(topic, group string) int64 {
	found, _ := Must(kadm.NewClient(f.base).FetchOffsets(context.Background(), group)).Lookup(topic, 0)
	return found.At
}
