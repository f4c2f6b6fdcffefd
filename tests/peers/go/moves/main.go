// franz-go while leaders move: sends and reads until its standard input ends, then says whether all has come.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	. "klamm.test/peers/checks"
)

func client(options ...kgo.Opt) *kgo.Client {
	return Must(kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(os.Getenv("BOOTSTRAP_SERVERS"), ",")...), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.MetadataMinAge(100 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.RetryTimeout(time.Minute), kgo.RequestTimeoutOverhead(3 * time.Second), kgo.ProduceRequestTimeout(time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}, options...)...))
}

func main() {
	topic, partitions := os.Getenv("TOPIC"), Must(strconv.Atoi(os.Getenv("PARTITIONS")))
	var mu sync.Mutex
	consumed, acknowledged, failed := map[string]bool{}, 0, []error{}
	ended, done, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	go func() {
		defer close(closed)
		member := client(kgo.ConsumeTopics(topic), kgo.ConsumerGroup(os.Getenv("GROUP")), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.AutoCommitInterval(200*time.Millisecond), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond))
		defer member.Close()
		for {
			select {
			case <-done:
				return
			default:
			}
			limited, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			fetches := member.PollFetches(limited)
			cancel()
			mu.Lock()
			fetches.EachRecord(func(record *kgo.Record) { consumed[fmt.Sprint(record.Partition, ":", string(record.Value))] = true })
			mu.Unlock()
		}
	}()
	producer, sent := client(), 0
	for running := true; running; sent++ {
		record := &kgo.Record{Topic: topic, Partition: int32(sent % partitions), Value: []byte(fmt.Sprint(sent / partitions))}
		producer.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				acknowledged++
			} else {
				failed = append(failed, err)
			}
		})
		select {
		case <-ended:
			running = false
		case <-time.After(2 * time.Millisecond):
		}
	}
	OK(producer.Flush(context.Background()))
	read := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(consumed)
	}
	for deadline := time.Now().Add(40 * time.Second); read() < sent && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	close(done)
	<-closed
	fmt.Println("sent", sent, "acknowledged", acknowledged, "read", read(), "failed", failed)
	if acknowledged != sent || read() != sent {
		os.Exit(1)
	}
}
