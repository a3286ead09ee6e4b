// The Go side of the benchmarks: the same work with context and an errgroup.
//
// Reads requests from standard input, one per line: the name of a work, how often to do it,
// and how many processors to use (0 for all). Answers each with the nanoseconds that it took.
// The Rust side asks in turns with its own work, so that both sides see the same machine.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// What the compiler must not find unused.
var (
	keptContext context.Context
	keptValue   any
	keptBool    bool
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "service" {
		service()
		return
	}
	processors := runtime.GOMAXPROCS(0)
	input := bufio.NewScanner(os.Stdin)
	fmt.Println(runtime.Version())
	for input.Scan() {
		var name string
		var times, procs int
		if _, err := fmt.Sscan(input.Text(), &name, &times, &procs); err != nil {
			fmt.Println("error", err)
			continue
		}
		work, known := works[name]
		if !known {
			fmt.Println("error no such work")
			continue
		}
		if procs == 0 {
			procs = processors
		}
		runtime.GOMAXPROCS(procs)
		// As the testing package does before it measures: the garbage of one work is not
		// collected at the expense of the next.
		runtime.GC()
		fmt.Println(work(times).Nanoseconds())
	}
}

var works = map[string]func(times int) time.Duration{
	"derive":      derive,
	"timeout":     timeout,
	"value":       value,
	"absent10":    func(times int) time.Duration { return absent(times, 10) },
	"absent100":   func(times int) time.Duration { return absent(times, 100) },
	"root10":      present,
	"chain10":     func(times int) time.Duration { return chain(times, 10) },
	"chain100":    func(times int) time.Duration { return chain(times, 100) },
	"chain1000":   func(times int) time.Duration { return chain(times, 1000) },
	"common4":     func(times int) time.Duration { return common(times, 4, 100) },
	"shared4":     func(times int) time.Duration { return common(times, 4, 0) },
	"group10000":  func(times int) time.Duration { return tasks(times, 10_000, false) },
	"group10000y": func(times int) time.Duration { return tasks(times, 10_000, true) },
	"group3":      func(times int) time.Duration { return tasks(times, 3, false) },
	"cancel10000": func(times int) time.Duration { return cancelWaiting(times, 10_000) },
}

func derive(times int) time.Duration {
	parent, cancelParent := context.WithCancel(context.Background())
	defer cancelParent()
	start := time.Now()
	for range times {
		child, cancel := context.WithCancel(parent)
		keptContext = child
		cancel()
	}
	return time.Since(start)
}

func timeout(times int) time.Duration {
	parent, cancelParent := context.WithCancel(context.Background())
	defer cancelParent()
	start := time.Now()
	for range times {
		child, cancel := context.WithTimeout(parent, time.Hour)
		keptContext = child
		cancel()
	}
	return time.Since(start)
}

// Keys as Go's own benchmarks have them: numbers of a type of one's own.
type key int

func values(depth int) context.Context {
	ctx := context.Background()
	for i := range depth {
		ctx = context.WithValue(ctx, key(i), i)
	}
	return ctx
}

// The value is boxed once, outside of the loop: only the context is made.
func value(times int) time.Duration {
	parent := values(1)
	var boxedKey, boxed any = key(1), 1_000_000
	start := time.Now()
	for range times {
		keptContext = context.WithValue(parent, boxedKey, boxed)
	}
	return time.Since(start)
}

// Of 32 keys that no context has.
func absent(times, depth int) time.Duration {
	ctx := values(depth)
	var keys [32]any
	for i := range keys {
		keys[i] = key(1000 + i)
	}
	start := time.Now()
	for range times {
		for _, key := range keys {
			keptValue = ctx.Value(key)
		}
	}
	return time.Since(start)
}

func present(times int) time.Duration {
	ctx := values(10)
	var first any = key(0)
	start := time.Now()
	for range times {
		keptValue = ctx.Value(first)
	}
	return time.Since(start)
}

// CancelTree of the standard library with a new root, whose last child is asked at the end.
func chain(times, depth int) time.Duration {
	start := time.Now()
	for range times {
		root, cancelRoot := context.WithCancel(context.Background())
		ctx := root
		for range depth {
			child, cancel := context.WithCancel(ctx)
			_ = cancel
			ctx = child
		}
		cancelRoot()
		keptBool = ctx.Err() != nil
	}
	return time.Since(start)
}

// CommonParentCancel of the standard library, with a fixed number of goroutines, and with or
// without what it does between its steps to pass the time.
func common(times, goroutines, divisions int) time.Duration {
	root := context.WithValue(context.Background(), key(0), "value")
	shared, cancelShared := context.WithCancel(root)
	defer cancelShared()
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	for range goroutines {
		ready.Add(1)
		done.Go(func() {
			x := 0
			ready.Done()
			<-begin
			for range times / goroutines {
				ctx, cancel := context.WithCancel(shared)
				if ctx.Value(key(0)).(string) != "value" {
					panic("the value is gone")
				}
				for i := range divisions {
					x /= i + 1
				}
				cancel()
				for i := range divisions {
					x /= i + 1
				}
			}
			if x != 0 {
				panic("zero divided is zero")
			}
		})
	}
	ready.Wait()
	start := time.Now()
	close(begin)
	done.Wait()
	return time.Since(start)
}

// What golang.org/x/sync/errgroup does, without its limit and without its dependency.
type group struct {
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	once    sync.Once
	err     error
}

func withContext(ctx context.Context) (*group, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &group{cancel: cancel}, ctx
}

func (g *group) Go(f func() error) {
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		if err := f(); err != nil {
			g.once.Do(func() {
				g.err = err
				g.cancel(err)
			})
		}
	}()
}

func (g *group) Wait() error {
	g.running.Wait()
	g.cancel(g.err)
	return g.err
}

func tasks(times, count int, yields bool) time.Duration {
	start := time.Now()
	for range times {
		g, _ := withContext(context.Background())
		for range count {
			g.Go(func() error {
				if yields {
					runtime.Gosched()
				}
				return nil
			})
		}
		if g.Wait() != nil {
			panic("no task fails")
		}
	}
	return time.Since(start)
}

func cancelWaiting(times, count int) time.Duration {
	var took time.Duration
	for range times {
		parent, cancel := context.WithCancel(context.Background())
		g, ctx := withContext(parent)
		var waiting atomic.Int64
		for range count {
			g.Go(func() error {
				waiting.Add(1)
				<-ctx.Done()
				return nil
			})
		}
		for waiting.Load() < int64(count) {
			runtime.Gosched()
		}
		start := time.Now()
		cancel()
		_ = g.Wait()
		took += time.Since(start)
	}
	return took
}
