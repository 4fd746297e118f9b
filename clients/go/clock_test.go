package countersign

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// clockAhead is the answer of an API whose clock is ahead of that of this machine.
func clockAhead(ahead time.Duration, code string) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
		problem(401, code, map[string]string{"Date": date})(response, request)
	}
}

// aheadOfNow rounds to 100 seconds.
func aheadOfNow(t *testing.T, created json.Number) int {
	t.Helper()
	seconds, err := created.Int64()
	must(t, err)
	return int(math.Round(float64(seconds-time.Now().Unix())/100) * 100)
}

var createdForm = regexp.MustCompile(`created=(\d+)`)

func signedAhead(t *testing.T, server *recorder) []int {
	t.Helper()
	var times []int
	for _, one := range server.requests() {
		created := createdForm.FindStringSubmatch(one.header.Get("Signature-Input"))[1]
		times = append(times, aheadOfNow(t, json.Number(created)))
	}
	return times
}

func TestAClockIsCorrectedWithinBounds(t *testing.T) {
	for name, one := range map[string]struct {
		clock   time.Duration
		answers []http.HandlerFunc
		calls   int
		signed  []int
	}{
		"late":             {-200 * time.Second, []http.HandlerFunc{clockAhead(0, "signature_expired")}, 2, []int{-200, 0, 0}},
		"early":            {time.Hour, []http.HandlerFunc{clockAhead(0, "signature_not_yet_valid")}, 2, []int{3600, 0, 0}},
		"a date far ahead": {0, []http.HandlerFunc{clockAhead(720*time.Hour, "signature_not_yet_valid")}, 1, []int{0}},
		"refused again": {
			0, []http.HandlerFunc{clockAhead(200*time.Second, "signature_expired"), clockAhead(100*time.Second, "signature_expired")},
			2, []int{0, 200, 0},
		},
		"an outage": {
			0, []http.HandlerFunc{clockAhead(200*time.Second, "signature_expired"), problem(503, "shutting_down", nil)},
			2, []int{0, 200, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := record(t, one.answers...)
			agent := agentNamed(t, "runner", func(config *Config) {
				config.Origins, config.Clock = []string{server.url}, func() time.Time { return time.Now().Add(one.clock) }
			})
			for range one.calls {
				response, err := agent.Client().Get(server.url)
				must(t, err)
				must(t, response.Body.Close())
			}
			if made := signedAhead(t, server); !reflect.DeepEqual(made, one.signed) {
				t.Error(made)
			}
		})
	}
}

func TestAnAssertionIsForNow(t *testing.T) {
	for ahead, wanted := range map[time.Duration][]int{
		720 * time.Hour:   {0, 0},
		200 * time.Second: {0, 200, 0, 200},
	} {
		server := record(t)
		refused := clockAhead(ahead, "invalid_client")
		server.then(says(200, nil, `{"issuer":"`+server.url+`","token_endpoint":"`+server.url+`/token"}`), refused, refused, refused, refused)
		agent := agentNamed(t, "runner", func(config *Config) { config.Origins, config.Authority = []string{server.url}, server.url })
		for range 2 {
			if _, err := agent.authority.token(context.Background(), url.Values{}); err == nil {
				t.Fatal("a token")
			}
		}
		var made []int
		for _, one := range server.requests()[1:] {
			form, err := url.ParseQuery(string(one.body))
			must(t, err)
			text, err := base64.RawURLEncoding.DecodeString(strings.Split(form.Get("client_assertion"), ".")[1])
			must(t, err)
			var claims struct {
				IssuedAt json.Number `json:"iat"`
			}
			must(t, json.Unmarshal(text, &claims))
			made = append(made, aheadOfNow(t, claims.IssuedAt))
		}
		if !reflect.DeepEqual(made, wanted) {
			t.Error(ahead, made)
		}
	}
}
