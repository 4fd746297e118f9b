package countersign

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// recorded is a request as it arrived.
type recorded struct {
	method, target, host string
	header               http.Header
	body                 []byte
}

// recorder is a server that keeps what it receives, and answers from answers in order, then 200.
type recorder struct {
	url string

	mutex   sync.Mutex
	kept    []recorded
	answers []http.HandlerFunc
}

func record(t *testing.T, answers ...http.HandlerFunc) *recorder {
	made := &recorder{answers: answers}
	server := httptest.NewServer(made)
	t.Cleanup(server.Close)
	made.url = server.URL
	return made
}

func (r *recorder) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mutex.Lock()
	r.kept = append(r.kept, recorded{request.Method, request.RequestURI, request.Host, request.Header, body})
	var answer http.HandlerFunc
	if len(r.answers) > 0 {
		answer, r.answers = r.answers[0], r.answers[1:]
	}
	r.mutex.Unlock()
	if answer != nil {
		answer(response, request)
	}
}

func (r *recorder) requests() []recorded {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.kept)
}

func (r *recorder) then(answers ...http.HandlerFunc) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.answers = append(r.answers, answers...)
}

func says(status int, header map[string]string, body string) http.HandlerFunc {
	return func(response http.ResponseWriter, _ *http.Request) {
		for name, value := range header {
			response.Header().Set(name, value)
		}
		response.WriteHeader(status)
		_, _ = io.WriteString(response, body)
	}
}

func problem(status int, code string, header map[string]string) http.HandlerFunc {
	fields := map[string]string{"Content-Type": problemType}
	for name, value := range header {
		fields[name] = value
	}
	return says(status, fields, `{"code":"`+code+`"}`)
}
