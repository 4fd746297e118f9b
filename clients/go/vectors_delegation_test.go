package countersign

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"
)

type linkVector struct {
	Name, Delegator, Delegate, Token, Link, Pth, JTI, Code string
	Links                                                  []string
	Now                                                    int64
	Options                                                struct {
		Scope                []string
		TTLSeconds           *float64
		Audience             any
		AuthorizationDetails []map[string]any
		MaxHops              *float64
		KeyID                string
	}
}

// grant is false for what the types of Go cannot say, like half a hop.
func (v linkVector) grant() (Grant, bool) {
	options := v.Options
	grant := Grant{Scope: options.Scope, AuthorizationDetails: options.AuthorizationDetails, KeyID: options.KeyID}
	for _, one := range entriesOf(options.Audience) {
		if text, ok := one.(string); ok {
			grant.Audience = append(grant.Audience, text)
		}
	}
	if options.MaxHops != nil {
		hops := int(*options.MaxHops)
		grant.MaxHops = &hops
		if float64(hops) != *options.MaxHops {
			return grant, false
		}
	}
	if options.TTLSeconds != nil {
		grant.TTL = time.Duration(*options.TTLSeconds * float64(time.Second))
		// No time is the default in Go.
		if grant.TTL == 0 {
			grant.TTL = -1
		}
	}
	return grant, true
}

func (v linkVector) holder(t *testing.T) *Agent {
	return agentNamed(t, v.Delegator, func(config *Config) { config.Clock = at(v.Now) })
}

func TestLinksAreThoseOfTheVectors(t *testing.T) {
	for _, one := range vectors[struct{ Links []linkVector }](t, "links").Links {
		t.Run(one.Name, func(t *testing.T) {
			grant, _ := one.grant()
			held := credentials{token: one.Token, links: one.Links}
			bundle, err := delegateFrom(one.holder(t).rules, held, one.Delegate, grant, one.JTI)
			must(t, err)
			last := bundle.links[len(bundle.links)-1]
			for part := range 2 {
				made, _ := jwtPart(last, part)
				expected, _ := jwtPart(one.Link, part)
				if !reflect.DeepEqual(made, expected) {
					t.Errorf("%v is not %v", made, expected)
				}
			}
			// The members of details are in the order of their names.
			if grant.AuthorizationDetails == nil && last != one.Link {
				t.Error("other bytes")
			}
			if bundle.Token() != one.Token || len(bundle.Links()) != len(one.Links)+1 {
				t.Error(bundle)
			}
		})
	}
}

func TestLinksThatMustNotBeSigned(t *testing.T) {
	for _, one := range vectors[struct{ Refused []linkVector }](t, "links").Refused {
		t.Run(one.Name, func(t *testing.T) {
			grant, ok := one.grant()
			if !ok {
				t.Skip("the types of Go cannot say this")
			}
			_, err := delegateFrom(one.holder(t).rules, credentials{token: one.Token, links: one.Links}, one.Delegate, grant, uuid())
			wantCode(t, err, Code(one.Code))
		})
	}
}

func TestLinkWithAnUnknownClaimIsNotRead(t *testing.T) {
	link := vectors[struct{ Links []linkVector }](t, "links").Links[0].Link
	payload, _ := jwtPart(link, 1)
	_, err := readLink(payload)
	must(t, err)
	payload["extra"] = 1
	if _, err := readLink(payload); err == nil {
		t.Error("read")
	}
}

func TestBundles(t *testing.T) {
	for _, one := range vectors[bundlesFile](t, "bundles").Bundles {
		t.Run(one.Name, func(t *testing.T) {
			agent := agentNamed(t, one.Recipient, func(config *Config) {
				config.Clock = at(one.Now)
				if one.RecipientKey != "" {
					config.Key = keyNamed(t, one.RecipientKey)
				}
			})
			bundle, err := ParseBundle(one.Bundle)
			if err == nil {
				_, err = agent.Accept(bundle)
			}
			if !one.Accepted {
				wantCode(t, err, CodeBundleInvalid)
				return
			}
			must(t, err)
			text, err := json.Marshal(bundle)
			must(t, err)
			made, _ := parseObject(text)
			expected, _ := parseObject(one.Bundle)
			if !reflect.DeepEqual(made, expected) {
				t.Error(string(text))
			}
		})
	}
}

type answerVector struct {
	Name, Code, Title, Body, URL string
	Status                       int
	Headers                      map[string]string
	WaitSeconds                  *float64
	SignedAt                     int64
	SignAnew                     bool
	Ahead                        *float64
}

func (v answerVector) header() http.Header {
	header := http.Header{}
	for name, value := range v.Headers {
		header.Set(name, value)
	}
	return header
}

type answersFile struct {
	Refusals, ReplayUnknown, Clock, Redirects []answerVector
}

func TestRefusalsAreRead(t *testing.T) {
	for _, one := range vectors[answersFile](t, "answers").Refusals {
		refusal := readRefusal(one.Status, one.header(), []byte(one.Body))
		if refusal == nil || refusal.Code != one.Code || refusal.Status != one.Status || refusal.Title != one.Title {
			t.Fatalf("%s: %v", one.Code, refusal)
		}
		// Every code has advice of its own.
		if refusal.Advice == adviceOn("") {
			t.Errorf("%s has no advice", one.Code)
		}
	}
}

func TestRequestsAreSignedAnewAsInTheVectors(t *testing.T) {
	answers := vectors[answersFile](t, "answers")
	to, err := readURL("https://api.acme.dev/")
	must(t, err)
	for _, one := range answers.ReplayUnknown {
		found, again := decide(one.Status, one.header(), []byte(one.Body), to, at(0)(), 0)
		if again != (one.WaitSeconds != nil) || again && found.wait.Seconds() != *one.WaitSeconds {
			t.Errorf("%s: %v %v", one.Name, found, again)
		}
	}
	for _, one := range answers.Clock {
		to, err := readURL(one.URL)
		must(t, err)
		found, again := decide(one.Status, one.header(), []byte(one.Body), to, at(one.SignedAt)(), 0)
		if again != one.SignAnew || again && found.ahead.Seconds() != *one.Ahead {
			t.Errorf("%s: %v %v", one.Name, found, again)
		}
	}
	for _, one := range answers.Redirects {
		response := &http.Response{StatusCode: one.Status, Header: one.header(), Body: http.NoBody}
		wantCode(t, refuseRedirect(response, "https://api.acme.dev"), Code(one.Code))
	}
}

func TestAssertionsAndChallenges(t *testing.T) {
	type vector struct {
		Key, Issuer, JTI, JWT, Message string
		Now                            int64
		Request                        map[string]string
	}
	file := vectors[struct {
		Assertions, Challenges []vector
		RefusedMessages        []string
	}](t, "authority")
	for _, one := range file.Assertions {
		authority, err := newAuthority(one.Issuer, agentNamed(t, one.Key, nil).rules, nil)
		must(t, err)
		made, err := authority.assertion(one.Now, one.JTI)
		must(t, err)
		if made != one.JWT {
			t.Error(made)
		}
	}
	for _, one := range file.Challenges {
		request, err := signChallenge(agentNamed(t, one.Key, nil).rules, one.Message)
		must(t, err)
		if !reflect.DeepEqual(request, one.Request) {
			t.Error(request)
		}
	}
	for _, message := range file.RefusedMessages {
		_, err := signChallenge(agentNamed(t, "orchestrator", nil).rules, message)
		wantCode(t, err, CodeRequestMalformed)
	}
}
