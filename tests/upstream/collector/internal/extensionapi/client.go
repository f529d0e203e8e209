// Package extensionapi is a client of the Lambda Extensions API.
package extensionapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	nameHeader       = "Lambda-Extension-Name"
	identifierHeader = "Lambda-Extension-Identifier"
	errorTypeHeader  = "Lambda-Extension-Function-Error-Type"

	extension = "/2020-01-01/extension"
	telemetry = "/2022-07-01/telemetry"
)

// EventType tells events apart.
type EventType string

const (
	Invoke   EventType = "INVOKE"
	Shutdown EventType = "SHUTDOWN"
)

// Event is the part of an event that the collector has a use for.
type Event struct {
	Type           EventType `json:"eventType"`
	RequestID      string    `json:"requestId"`
	ShutdownReason string    `json:"shutdownReason"`
}

// Client talks to the API as one extension.
type Client struct {
	baseURL string
	// http has no time limit: the wait for an event lasts as long as the
	// environment is idle.
	http http.Client
	id   string
}

// New returns a client of the API at host:port.
func New(address string) *Client {
	return &Client{baseURL: "http://" + address}
}

// ID is the identifier that Register was given.
func (c *Client) ID() string { return c.id }

// Register must come first. Lambda knows an extension by the name of its file.
func (c *Client) Register(ctx context.Context, name string) error {
	body := map[string][]EventType{"events": {Invoke, Shutdown}}
	response, _, err := c.do(ctx, http.MethodPost, extension+"/register", nameHeader, name, "", body)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	if c.id = response.Get(identifierHeader); c.id == "" {
		return errors.New("register: the answer has no " + identifierHeader)
	}
	return nil
}

// Subscribe has the platform's events sent to a URI of this process, as early
// as Lambda sends any.
func (c *Client) Subscribe(ctx context.Context, uri string) error {
	body := map[string]any{
		"schemaVersion": "2022-12-13",
		"types":         []string{"platform"},
		"buffering":     map[string]int{"maxItems": 1000, "maxBytes": 256 * 1024, "timeoutMs": 25},
		"destination":   map[string]string{"protocol": "HTTP", "URI": uri},
	}
	if _, _, err := c.do(ctx, http.MethodPut, telemetry, identifierHeader, c.id, "", body); err != nil {
		return fmt.Errorf("subscribe to telemetry: %w", err)
	}
	return nil
}

// Next waits for an event. Asking for it tells Lambda that the work on the one
// before is done.
func (c *Client) Next(ctx context.Context) (Event, error) {
	var event Event
	_, answer, err := c.do(ctx, http.MethodGet, extension+"/event/next", identifierHeader, c.id, "", nil)
	if err == nil {
		err = json.Unmarshal(answer, &event)
	}
	if err != nil {
		return event, fmt.Errorf("next event: %w", err)
	}
	return event, nil
}

// InitError reports that the extension could not start.
func (c *Client) InitError(ctx context.Context, errorType string, cause error) error {
	return c.report(ctx, "/init/error", errorType, cause)
}

// ExitError reports that the extension failed after its start.
func (c *Client) ExitError(ctx context.Context, errorType string, cause error) error {
	return c.report(ctx, "/exit/error", errorType, cause)
}

func (c *Client) report(ctx context.Context, path, errorType string, cause error) error {
	body := map[string]any{
		"errorMessage": cause.Error(),
		"errorType":    errorType,
		"stackTrace":   []string{},
	}
	if _, _, err := c.do(ctx, http.MethodPost, extension+path, identifierHeader, c.id, errorType, body); err != nil {
		return fmt.Errorf("report an error: %w", err)
	}
	return nil
}

// do makes a request which says who asks in the given header, and returns the
// headers and the body of the answer.
func (c *Client) do(ctx context.Context, method, path, header, value, errorType string, body any) (http.Header, []byte, error) {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.baseURL+path, content)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set(header, value)
	if errorType != "" {
		request.Header.Set(errorTypeHeader, errorType)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return response.Header, answer, nil
}
