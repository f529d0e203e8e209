// Package telemetryapi learns from the Lambda Telemetry API when the function
// is done, which the Extensions API doesn't say.
package telemetryapi

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
)

const (
	// The name at which an extension listens in Lambda.
	host          = "sandbox.localdomain"
	localVariable = "AWS_SAM_LOCAL"
	runtimeDone   = "platform.runtimeDone"
	// Lambda sends no events of the next invocation before this one is done.
	pending = 16
)

// Listener is an HTTP server to which Lambda sends the platform's events.
type Listener struct {
	listener net.Listener
	server   http.Server
	done     chan string // request IDs of functions that are done
}

type event struct {
	Type   string `json:"type"`
	Record struct {
		RequestID string `json:"requestId"`
	} `json:"record"`
}

// Listen starts the server.
func Listen() (*Listener, error) {
	at := host
	if os.Getenv(localVariable) == "true" {
		at = "" // that name is known only in Lambda
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(at, "0"))
	if err != nil {
		return nil, err
	}
	l := &Listener{listener: listener, done: make(chan string, pending)}
	l.server.Handler = http.HandlerFunc(l.receive)
	go l.server.Serve(listener)
	return l, nil
}

// URI is where Lambda must send the events.
func (l *Listener) URI() string {
	_, port, _ := net.SplitHostPort(l.listener.Addr().String())
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// Wait returns when the function of a request is done, or when ctx ends.
func (l *Listener) Wait(ctx context.Context, requestID string) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case done := <-l.done:
			if done == requestID {
				return nil
			}
		}
	}
}

// Close ends the server.
func (l *Listener) Close() error { return l.server.Close() }

func (l *Listener) receive(answer http.ResponseWriter, request *http.Request) {
	var events []event
	if err := json.NewDecoder(request.Body).Decode(&events); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	for _, each := range events {
		if each.Type == runtimeDone {
			select {
			case l.done <- each.Record.RequestID:
			case <-request.Context().Done():
				return
			}
		}
	}
}
