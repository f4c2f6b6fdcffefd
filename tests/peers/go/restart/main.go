// The Go clients over two restarts of the broker: restart franz-go|sarama|kafka-go. A producer sends on and a member of a
// group reads on while the broker is killed once and stopped once, each time started again on the same port and data.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"klamm.test/peers/checks"
)

const count = 600

// client is what each library brings.
type client interface {
	// create makes the topic with one partition.
	create(topic string) error
	// consume reads in the group until stop is closed, hands on each value, and commits; it returns after a last commit.
	consume(topic, group string, each func(string), stop <-chan struct{})
	// produce sends a value in order and calls back; flush waits for all.
	produce(topic, value string, done func(error))
	flush()
	// log reads the partition from the start to its end; committed is the group's offset.
	log(topic string) []string
	committed(topic, group string) int64
	// exact tells whether the producer is idempotent.
	exact() bool
}

func bounce(how string) {
	checks.OK(exec.Command("sh", "-c", os.Getenv(how)).Run())
	time.Sleep(300 * time.Millisecond)
	checks.OK(exec.Command("sh", "-c", os.Getenv("BROKER_START")).Run())
}

// seen collects values; safe for several goroutines.
type seen struct {
	mu  sync.Mutex
	all map[string]bool
}

func (s *seen) add(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[value] = true
}

func (s *seen) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

func line(title string, holds bool, what ...any) bool {
	if holds {
		fmt.Println("ok", title)
	} else {
		fmt.Println("FAIL", title+":", fmt.Sprint(what...))
	}
	return holds
}

func main() {
	clients := map[string]func() client{"franz-go": newFranz, "sarama": newSarama, "kafka-go": newKafkaGo}
	if len(os.Args) != 2 || clients[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "restart franz-go|sarama|kafka-go")
		os.Exit(2)
	}
	c, topic, group := clients[os.Args[1]](), checks.Name("restart"), checks.Name("restart-group")
	checks.OK(c.create(topic))
	consumed, acknowledged := &seen{all: map[string]bool{}}, &seen{all: map[string]bool{}}
	stop, stopped, bounced := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		c.consume(topic, group, consumed.add, stop)
		close(stopped)
	}()
	first := make(chan struct{})
	for n := range count {
		switch n {
		case count / 3:
			go func() { bounce("BROKER_KILL"); close(first) }()
		case 2 * count / 3:
			go func() { <-first; bounce("BROKER_STOP"); close(bounced) }()
		}
		value := fmt.Sprint(n)
		c.produce(topic, value, func(err error) {
			if err == nil {
				acknowledged.add(value)
			}
		})
		time.Sleep(4 * time.Millisecond)
	}
	c.flush()
	<-bounced
	fine := line("all-acknowledged", acknowledged.size() == count, acknowledged.size())
	for deadline := time.Now().Add(40 * time.Second); consumed.size() < count && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	fine = line("the-consumer-goes-on", consumed.size() == count, consumed.size()) && fine
	close(stop)
	select {
	case <-stopped:
	case <-time.After(30 * time.Second):
	}
	log := c.log(topic)
	inOrder, distinct := len(log) == count, map[string]bool{}
	for n, value := range log {
		inOrder = inOrder && value == fmt.Sprint(n)
		distinct[value] = true
	}
	if c.exact() {
		fine = line("the-log-has-each-once-in-order", inOrder, len(log), " records") && fine
	} else {
		fine = line("the-log-has-each", len(distinct) == count, len(distinct)) && fine
	}
	committed := c.committed(topic, group)
	fine = line("the-commit-is-kept", committed == int64(len(log)), committed, ", the log ends at ", len(log)) && fine
	if !fine {
		os.Exit(1)
	}
}
