package countersign

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

type approvalVector struct {
	Name, Agent, Code string
	Sent              struct {
		Method, URL, Body string
		Headers           map[string]string
	}
	Answer   struct{ Body string }
	Question struct {
		Body, Why string
		Arguments map[string]any
	}
	Details any
}

type pollVector struct {
	Name, Outcome, Approval string
	Status                  int
	Answer                  json.RawMessage
}

type approvalsFile struct {
	Asked, Refused []approvalVector
	Polls          []pollVector
}

// approvalServers are the API and the authority of a vector.
type approvalServers struct{ api, authority *recorder }

func startApprovalServers(t *testing.T) approvalServers {
	servers := approvalServers{record(t), record(t)}
	id := servers.authority.url
	servers.authority.then(
		says(200, nil, fmt.Sprintf(`{"issuer":%q,"approval_endpoint":%q}`, id, id+"/approval")),
		says(200, nil, `{"approval_id":"an-id","approval_uri":"https://id.acme.dev","expires_in":60,"interval":1}`),
	)
	return servers
}

// here puts these servers into a text of the vectors.
func (s approvalServers) here(text string) string {
	host := strings.TrimPrefix(s.api.url, "http://")
	return strings.NewReplacer(
		"https://api.acme.dev", s.api.url, "https://id.acme.dev", s.authority.url, `"api.acme.dev"`, `"`+host+`"`,
	).Replace(text)
}

func (s approvalServers) agent(t *testing.T, name string) *Agent {
	return agentNamed(t, name, func(config *Config) { config.Origins, config.Authority = []string{s.api.url}, s.authority.url })
}

// ask sends the request, and asks people about the refusal.
func (s approvalServers) ask(t *testing.T, one approvalVector) (*PendingApproval, error) {
	t.Helper()
	s.api.then(says(403, map[string]string{"Content-Type": problemType}, s.here(one.Answer.Body)))
	agent := s.agent(t, one.Agent)
	request, err := http.NewRequest(one.Sent.Method, s.here(one.Sent.URL), bytes.NewReader(bytesOf(t, one.Sent.Body)))
	must(t, err)
	for name, value := range one.Sent.Headers {
		request.Header.Set(name, value)
	}
	response, err := agent.Client().Do(request)
	must(t, err)
	defer func() { must(t, response.Body.Close()) }()
	refusal, ok := errorAs[*Refusal](CheckResponse(response))
	if !ok {
		t.Fatalf("%s: no refusal", one.Name)
	}
	question := Question{Body: bytesOf(t, one.Question.Body), Arguments: one.Question.Arguments, Why: one.Question.Why}
	return agent.AskApproval(context.Background(), refusal, question)
}

func TestPeopleAreAskedAsInTheVectors(t *testing.T) {
	for _, one := range vectors[approvalsFile](t, "approvals").Asked {
		t.Run(one.Name, func(t *testing.T) {
			servers := startApprovalServers(t)
			_, err := servers.ask(t, one)
			must(t, err)
			requests := servers.authority.requests()
			form, err := url.ParseQuery(string(requests[len(requests)-1].body))
			must(t, err)
			expected, err := json.Marshal([]any{one.Details})
			must(t, err)
			var made, wanted any
			must(t, json.Unmarshal([]byte(form.Get("authorization_details")), &made))
			must(t, json.Unmarshal([]byte(servers.here(string(expected))), &wanted))
			if !reflect.DeepEqual(made, wanted) {
				t.Errorf("%v is not %v", made, wanted)
			}
		})
	}
}

func TestNobodyIsAskedAboutWhatWasNotSent(t *testing.T) {
	for _, one := range vectors[approvalsFile](t, "approvals").Refused {
		t.Run(one.Name, func(t *testing.T) {
			servers := startApprovalServers(t)
			_, err := servers.ask(t, one)
			wantCode(t, err, Code(one.Code))
			if len(servers.authority.requests()) != 0 {
				t.Error("people were asked")
			}
		})
	}
}

func TestWhatBecameOfAQuestionIsRead(t *testing.T) {
	file := vectors[approvalsFile](t, "approvals")
	codes := map[string]Code{
		"denied": CodeApprovalDenied, "expired": CodeApprovalExpired, "withdrawn": CodeApprovalWithdrawn,
		"refused": CodeApprovalRefused, "unavailable": CodeAuthorityUnavailable,
	}
	for _, one := range file.Polls {
		t.Run(one.Name, func(t *testing.T) {
			servers := startApprovalServers(t)
			pending, err := servers.ask(t, file.Asked[0])
			must(t, err)
			servers.authority.then(says(one.Status, nil, string(one.Answer)))
			approval, err := pending.Poll(context.Background())
			if code, isError := codes[one.Outcome]; isError {
				wantCode(t, err, code)
				return
			}
			must(t, err)
			if approval != one.Approval {
				t.Error(approval)
			}
		})
	}
}
