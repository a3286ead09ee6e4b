// A service as Go's net/http has it: a context with a deadline, and three goroutines under it.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

var (
	live      atomic.Int64
	lastEnd   atomic.Int64
	slowest   atomic.Int64
	bystander context.Context
)

// Serves on a port of its own, and says on standard output which.
func service() {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println(listener.Addr())
	server, stop := context.WithCancel(context.Background())
	defer stop()
	child, cancel := context.WithCancel(server)
	defer cancel()
	bystander = child
	watching := false
	mux := http.NewServeMux()
	mux.HandleFunc("GET /work", handler(part))
	mux.HandleFunc("GET /wait", handler(wait))
	go http.Serve(listener, mux)
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		if input.Text() == "reset" && !watching {
			watching = true
			go watch()
		}
		fmt.Println(live.Load(), lastEnd.Load(), slowest.Load())
	}
}

func handler(part func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limit := 30 * time.Second
		if text := r.Header.Get("x-timeout-ms"); text != "" {
			if millis, err := strconv.Atoi(text); err == nil {
				limit = time.Duration(millis) * time.Millisecond
			}
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		g, ctx := withContext(ctx)
		for range 3 {
			g.Go(func() error { return part(ctx) })
		}
		if g.Wait() != nil {
			w.WriteHeader(http.StatusGatewayTimeout)
			return
		}
		fmt.Fprint(w, "done")
	}
}

func part(ctx context.Context) error {
	runtime.Gosched()
	return ctx.Err()
}

func wait(ctx context.Context) error {
	live.Add(1)
	<-ctx.Done()
	lastEnd.Store(time.Now().UnixMicro())
	live.Add(-1)
	return ctx.Err()
}

// Asks, again and again, a context that nobody ends. Begun only when its answers are wanted: it
// costs the service a good part of its core.
func watch() {
	for {
		time.Sleep(50 * time.Microsecond)
		start := time.Now()
		keptBool = bystander.Err() != nil
		took := time.Since(start).Nanoseconds()
		if took > slowest.Load() {
			slowest.Store(took)
		}
	}
}
