// A minimal extension: it registers and waits. A layer's start figures are noted as multiples of
// this extension's, on the same machine at the same time.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

const events = `{"events":["INVOKE","SHUTDOWN"]}`

func main() {
	if err := run("http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(api string) error {
	name := filepath.Base(os.Args[0])
	identifier, _, err := call(http.MethodPost, api+"register", "Lambda-Extension-Name", name, events)
	if err != nil {
		return err
	}
	for {
		_, event, err := call(http.MethodGet, api+"event/next", "Lambda-Extension-Identifier", identifier, "")
		if err != nil || event == "SHUTDOWN" {
			return err
		}
	}
}

// call sends a request and returns the identifier and the event type of the answer.
func call(method, url, header, value, body string) (string, string, error) {
	request, err := http.NewRequest(method, url, bytes.NewBufferString(body))
	if err != nil {
		return "", "", err
	}
	request.Header.Set(header, value)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", "", fmt.Errorf("%s %s: %s %s", method, url, answer.Status, content)
	}
	var event struct {
		EventType string `json:"eventType"`
	}
	if err := json.Unmarshal(content, &event); err != nil {
		return "", "", err
	}
	return answer.Header.Get("Lambda-Extension-Identifier"), event.EventType, nil
}
