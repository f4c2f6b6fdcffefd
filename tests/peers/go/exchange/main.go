// franz-go as the other end of an exchange of records; ../../exchange/README.md says what it reads and writes. Takes
// write TOPIC, read TOPIC N, or member TOPIC GROUP STRATEGY.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// line is a record as it stands in a line; bytes are base64, and null where there are none.
type line struct {
	Codec     string   `json:"codec,omitempty"`
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   [][2]any `json:"headers"`
	Timestamp int64    `json:"timestamp"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func client(options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(options, kgo.SeedBrokers(os.Getenv("BOOTSTRAP_SERVERS")))...)
	must(err)
	return made
}

func write(topic string) {
	producers := map[string]*kgo.Client{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var one struct {
			Codec     string
			Key       []byte
			Value     []byte
			Headers   [][2]*string
			Timestamp int64
		}
		must(json.Unmarshal(lines.Bytes(), &one))
		producer := producers[one.Codec]
		if producer == nil {
			producer = client(kgo.ProducerBatchCompression(codecs[one.Codec]), kgo.ProducerLinger(20*time.Millisecond))
			producers[one.Codec] = producer
		}
		record := &kgo.Record{Topic: topic, Key: one.Key, Value: one.Value, Timestamp: time.UnixMilli(one.Timestamp)}
		for _, header := range one.Headers {
			var value []byte
			if header[1] != nil {
				must(json.Unmarshal([]byte(strconv.Quote(*header[1])), &value))
			}
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: *header[0], Value: value})
		}
		producer.Produce(context.Background(), record, func(_ *kgo.Record, err error) { must(err) })
	}
	for _, producer := range producers {
		must(producer.Flush(context.Background()))
		producer.Close()
	}
}

func show(record *kgo.Record) {
	shown := line{Partition: record.Partition, Offset: record.Offset, Key: record.Key, Value: record.Value,
		Timestamp: record.Timestamp.UnixMilli(), Headers: [][2]any{}}
	for _, header := range record.Headers {
		shown.Headers = append(shown.Headers, [2]any{header.Key, header.Value})
	}
	text, err := json.Marshal(shown)
	must(err)
	fmt.Println(string(text))
}

func consumer(topic, group, strategy string) *kgo.Client {
	balancers := map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer(),
	}
	return client(kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.Balancers(balancers[strategy]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second),
		kgo.HeartbeatInterval(200*time.Millisecond), kgo.AutoCommitInterval(100*time.Millisecond),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.BlockRebalanceOnPoll())
}

func poll(reader *kgo.Client, wait time.Duration) []*kgo.Record {
	limited, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	return reader.PollFetches(limited).Records()
}

func read(topic string, count int) {
	reader := consumer(topic, fmt.Sprint("exchange-", os.Getpid()), "range")
	for count > 0 {
		for _, record := range poll(reader, 200*time.Millisecond) {
			show(record)
			count--
		}
		reader.AllowRebalance()
	}
	reader.Close()
}

func member(topic, group, strategy string) {
	ended := make(chan struct{})
	go func() {
		_, _ = io.ReadAll(os.Stdin)
		close(ended)
	}()
	reader := consumer(topic, group, strategy)
	for {
		for _, record := range poll(reader, 50*time.Millisecond) {
			show(record)
		}
		reader.AllowRebalance()
		select {
		case <-ended:
			must(reader.CommitUncommittedOffsets(context.Background()))
			reader.CloseAllowingRebalance()
			return
		default:
		}
	}
}

func main() {
	switch os.Args[1] {
	case "write":
		write(os.Args[2])
	case "read":
		count, err := strconv.Atoi(os.Args[3])
		must(err)
		read(os.Args[2], count)
	default:
		member(os.Args[2], os.Args[3], os.Args[4])
	}
}
