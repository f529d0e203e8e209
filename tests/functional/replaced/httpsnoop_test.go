// Our wrapper of an http.ResponseWriter against the one that it stands in for.
package replaced

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	theirs "github.com/felixge/httpsnoop"

	ours "replaced/ours"
)

// handlers use a ResponseWriter in the ways in which handlers do, and write what came of it.
var handlers = map[string]http.HandlerFunc{
	"header and body": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Own", "value")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "short and stout")
	},
	"no status": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "text") },
	"nothing":   func(http.ResponseWriter, *http.Request) {},
	"flush": func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "one")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "two")
	},
	"controller": func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		fmt.Fprint(w, control.SetWriteDeadline(time.Now().Add(time.Minute)), control.SetReadDeadline(time.Time{}), control.Flush())
	},
	"copy": func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(w, r.Body)
		fmt.Fprint(w, n, err)
	},
	"hijack": func(w http.ResponseWriter, r *http.Request) {
		hijacker, can := w.(http.Hijacker)
		if !can {
			fmt.Fprintf(w, "cannot, with HTTP/%d", r.ProtoMajor)
			return
		}
		conn, buffer, err := hijacker.Hijack()
		if err == nil {
			defer conn.Close()
			hello(buffer)
		}
	},
}

func hello(buffer *bufio.ReadWriter) {
	fmt.Fprint(buffer, "HTTP/1.1 299 Own\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
	buffer.Flush()
}

// seen is what the hooks saw and what the client got.
type seen struct {
	calls  []string
	status int
	own    string
	body   string
}

func (s *seen) note(format string, args ...any) {
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

func withOurs(w http.ResponseWriter, s *seen) http.ResponseWriter {
	return ours.Wrap(w, ours.Hooks{
		Header: func(next ours.HeaderFunc) ours.HeaderFunc {
			return func() http.Header { s.note("header"); return next() }
		},
		WriteHeader: func(next ours.WriteHeaderFunc) ours.WriteHeaderFunc {
			return func(code int) { s.note("status %d", code); next(code) }
		},
		Write: func(next ours.WriteFunc) ours.WriteFunc {
			return func(b []byte) (int, error) { s.note("write %s", b); return next(b) }
		},
		Flush: func(next ours.FlushFunc) ours.FlushFunc { return func() { s.note("flush"); next() } },
	})
}

func withTheirs(w http.ResponseWriter, s *seen) http.ResponseWriter {
	return theirs.Wrap(w, theirs.Hooks{
		Header: func(next theirs.HeaderFunc) theirs.HeaderFunc {
			return func() http.Header { s.note("header"); return next() }
		},
		WriteHeader: func(next theirs.WriteHeaderFunc) theirs.WriteHeaderFunc {
			return func(code int) { s.note("status %d", code); next(code) }
		},
		Write: func(next theirs.WriteFunc) theirs.WriteFunc {
			return func(b []byte) (int, error) { s.note("write %s", b); return next(b) }
		},
		Flush: func(next theirs.FlushFunc) theirs.FlushFunc { return func() { s.note("flush"); next() } },
	})
}

func answer(t *testing.T, handler http.Handler, http2 bool, wrap func(http.ResponseWriter, *seen) http.ResponseWriter) seen {
	var s seen
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wrapped := wrap(w, &s)
		if theirs.Unwrap(wrapped) != w || ours.Unwrap(wrapped) != w {
			t.Error("it does not unwrap to the writer")
		}
		handler.ServeHTTP(wrapped, r)
	}))
	server.EnableHTTP2 = http2
	server.StartTLS()
	defer server.Close()
	response, err := server.Client().Post(server.URL, "text/plain", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	s.status, s.own, s.body = response.StatusCode, response.Header.Get("X-Own"), string(body)
	return s
}

func TestTheSameAnswersAndCalls(t *testing.T) {
	for name, handler := range handlers {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", name, http2), func(t *testing.T) {
				wanted := answer(t, handler, http2, withTheirs)
				if got := answer(t, handler, http2, withOurs); !reflect.DeepEqual(got, wanted) {
					t.Fatalf("ours %+v\ntheirs %+v", got, wanted)
				}
			})
		}
	}
}

// plain is a writer without optional methods.
type plain struct{ http.ResponseWriter }

func TestAWriterWithoutOptionalMethodsGetsNone(t *testing.T) {
	var s seen
	recorder := httptest.NewRecorder()
	wrapped := withOurs(plain{recorder}, &s)
	if _, flushes := wrapped.(http.Flusher); flushes {
		t.Error("it flushes")
	}
	if _, hijacks := wrapped.(http.Hijacker); hijacks {
		t.Error("it hijacks")
	}
	if ours.Wrap(recorder, ours.Hooks{}).WriteHeader(418); recorder.Code != 418 {
		t.Error("without hooks it does not do what the writer does")
	}
}
