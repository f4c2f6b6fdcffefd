// Package checks is what the Go suites share: named checks, deadlines, unique names. It must not know any client.
package checks

import (
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
)

var (
	run    = fmt.Sprintf("%08x", rand.Uint32())
	count  atomic.Int32
	checks []check
)

type check struct {
	name string
	body func()
}

type failure struct{ reason string }

// Bootstrap is the broker's address.
func Bootstrap() string {
	if set := os.Getenv("BOOTSTRAP_SERVERS"); set != "" {
		return set
	}
	return "127.0.0.1:9092"
}

// Add registers a check.
func Add(name string, body func()) { checks = append(checks, check{name, body}) }

// Name is one that no other suite or run uses.
func Name(stem string) string { return fmt.Sprintf("%s-%s-%d", stem, run, count.Add(1)) }

// Fail ends the check that runs.
func Fail(format string, arguments ...any) { panic(failure{fmt.Sprintf(format, arguments...)}) }

// OK fails on an error.
func OK(err error) {
	if err != nil {
		Fail("%v", err)
	}
}

// Must is a value that came without an error.
func Must[T any](value T, err error) T {
	OK(err)
	return value
}

// Same fails where the two differ.
func Same(what string, got, wanted any) {
	if !reflect.DeepEqual(got, wanted) {
		Fail("%s: got %.300v, wanted %.300v", what, fmt.Sprint(got), fmt.Sprint(wanted))
	}
}

// Until waits until the condition holds.
func Until(what string, condition func() bool) {
	for deadline := time.Now().Add(25 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			Fail("not in time: %s", what)
		}
	}
}

// Numbered is v(from) to v(to - 1).
func Numbered(from, to int) []string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, fmt.Sprintf("v%d", n))
	}
	return all
}

func one(body func()) (reason string) {
	defer func() {
		switch found := recover().(type) {
		case nil:
		case failure:
			reason = found.reason
		default:
			reason = fmt.Sprintf("panic: %v", found)
		}
	}()
	body()
	return ""
}

// Main runs the checks whose names contain the first argument, and exits 1 if any failed.
func Main() {
	wanted, failed := "", 0
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	for _, each := range checks {
		if !strings.Contains(each.name, wanted) {
			continue
		}
		begun := time.Now()
		result := make(chan string, 1)
		go func() { result <- one(each.body) }()
		reason := "not done after 45 s"
		select {
		case reason = <-result:
		case <-time.After(45 * time.Second):
		}
		if os.Getenv("PEERS_TIMES") != "" {
			fmt.Printf("# %.1fs ", time.Since(begun).Seconds())
		}
		if reason == "" {
			fmt.Printf("ok %s\n", each.name)
		} else {
			failed = 1
			fmt.Printf("FAIL %s: %s\n", each.name, strings.ReplaceAll(reason, "\n", " "))
		}
	}
	os.Exit(failed)
}
