package countersign

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	assertionSeconds   = 60
	authorityTimeout   = 10 * time.Second
	maxAuthorityAnswer = 65_536
	assertionType      = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// No signature base and no JWT has this form, so that the signature is good for nothing else.
var challengeForm = regexp.MustCompile(`\A[a-z][a-z0-9-]{0,63}:[A-Za-z0-9_-]{1,256}\z`)

// authority is an authority, as one agent sees it.
type authority struct {
	issuer string
	rules  *rules
	client *http.Client

	mutex     sync.Mutex
	endpoints map[string]string
	// By which its clock is ahead of ours.
	ahead time.Duration
}

func newAuthority(issuer string, rules *rules, transport http.RoundTripper) (*authority, error) {
	to, err := readURL(issuer)
	if err != nil || to.query != "" || strings.Contains(issuer, "#") || !to.isPrivate() && !rules.dangerouslyAllowHTTP {
		return nil, badConfig("Authority must be the https URL of the authority, exactly as it names itself.")
	}
	if transport == nil {
		transport = http.DefaultTransport
	}
	client := &http.Client{
		Transport: transport,
		Timeout:   authorityTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	return &authority{issuer: issuer, rules: rules, client: client, endpoints: map[string]string{}}, nil
}

// answer is an answer of the authority.
type answer struct {
	status int
	// Empty if it is no JSON object.
	members map[string]any
	date    time.Time
	// When it was asked for, by our clock.
	asked time.Time
}

// token asks the token endpoint.
func (a *authority) token(ctx context.Context, parameters url.Values) (issuedToken, error) {
	got, err := a.postForm(ctx, "token_endpoint", "", parameters)
	if err != nil {
		return issuedToken{}, err
	}
	return a.issued(got)
}

// challenge trades a signed challenge for a token of the agent itself. Without a message, the authority makes one.
func (a *authority) challenge(ctx context.Context, message string, parameters url.Values) (issuedToken, error) {
	if message == "" {
		made, err := a.postJSON(ctx, "/challenge", map[string]any{"agent_id": a.rules.agentID})
		if err != nil {
			return issuedToken{}, err
		}
		text, ok := made.members["message"].(string)
		if made.status != http.StatusOK || !ok {
			return issuedToken{}, a.unavailable(fmt.Sprintf("it answered with %d", made.status), nil)
		}
		message = text
	}
	request, err := signChallenge(a.rules, message)
	if err != nil {
		return issuedToken{}, err
	}
	body := map[string]any{}
	for name := range parameters {
		body[name] = parameters.Get(name)
	}
	for name, value := range request {
		body[name] = value
	}
	got, err := a.postJSON(ctx, "/challenge/token", body)
	if err != nil {
		return issuedToken{}, err
	}
	return a.issued(got)
}

// signChallenge is the article's signed challenge: { agent_id, message, signature }, both in base64.
func signChallenge(rules *rules, message string) (map[string]string, error) {
	if !challengeForm.MatchString(message) {
		return nil, failed(CodeRequestMalformed, "A challenge is like 'approve-request:174325'. Nothing else is signed.")
	}
	signature, err := rules.key.sign([]byte(message))
	return map[string]string{
		"agent_id": rules.agentID, "message": toBase64([]byte(message)), "signature": toBase64(signature),
	}, err
}

type assertionClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	ID       string `json:"jti"`
}

// assertion proves the agent to this authority, and to no other.
func (a *authority) assertion(now int64, id string) (string, error) {
	agent := a.rules.agentID
	return a.rules.signJWT(jwtHeader{"", "EdDSA", a.rules.key.Thumbprint()},
		assertionClaims{agent, agent, a.issuer, now, now + assertionSeconds, id})
}

func (a *authority) postForm(ctx context.Context, endpoint, path string, parameters url.Values) (answer, error) {
	to, err := a.endpoint(ctx, endpoint)
	if err != nil {
		return answer{}, err
	}
	a.mutex.Lock()
	ahead := a.ahead
	a.mutex.Unlock()
	got, err := a.postAssertion(ctx, to+path, parameters, ahead)
	if err != nil || got.status != http.StatusUnauthorized || got.date.IsZero() {
		return got, err
	}
	theirs := got.date.Sub(got.asked)
	if !isCorrection(theirs, ahead) {
		return got, nil
	}
	// Once: with a clock that is wrong no assertion ever counts.
	got, err = a.postAssertion(ctx, to+path, parameters, theirs)
	// Only a success proves the correction right.
	if err == nil && got.status == http.StatusOK {
		a.mutex.Lock()
		a.ahead = theirs
		a.mutex.Unlock()
	}
	return got, err
}

func (a *authority) postAssertion(ctx context.Context, to string, parameters url.Values, ahead time.Duration) (answer, error) {
	assertion, err := a.assertion(a.rules.clock().Add(ahead).Unix(), uuid())
	if err != nil {
		return answer{}, err
	}
	form := url.Values{
		"client_id": {a.rules.agentID}, "client_assertion_type": {assertionType}, "client_assertion": {assertion},
	}
	for name, values := range parameters {
		form[name] = values
	}
	return a.send(ctx, http.MethodPost, to, formType, form.Encode())
}

func (a *authority) postJSON(ctx context.Context, path string, body map[string]any) (answer, error) {
	text, err := toJSON(body)
	if err != nil {
		return answer{}, err
	}
	return a.send(ctx, http.MethodPost, strings.TrimRight(a.issuer, "/")+path, "application/json", string(text))
}

func (a *authority) send(ctx context.Context, method, to, contentType, body string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(body))
	if err != nil {
		return answer{}, a.unavailable("its URL cannot be called", err)
	}
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	got := answer{asked: a.rules.clock()}
	response, err := a.client.Do(request)
	if err != nil {
		return answer{}, a.unavailable("it does not answer", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAuthorityAnswer+1))
	if err != nil || len(text) > maxAuthorityAnswer {
		return answer{}, a.unavailable("its answer is cut or too long", err)
	}
	got.status = response.StatusCode
	got.members, _ = parseObject(text)
	got.date, _ = http.ParseTime(response.Header.Get("Date"))
	return got, nil
}

func (a *authority) issued(got answer) (issuedToken, error) {
	token, isText := got.members["access_token"].(string)
	seconds, isNumber := got.members["expires_in"].(float64)
	if got.status == http.StatusOK && isText && isToken(token) && isNumber && seconds > 0 && seconds < maxSafeInteger/1e9 {
		life := max(time.Duration(seconds)*time.Second-tokenMargin, time.Second)
		return issuedToken{token, got.asked.Add(life)}, nil
	}
	why, err := a.why(got)
	if err != nil {
		return issuedToken{}, err
	}
	return issuedToken{}, failed(CodeTokenRefused, a.issuer+" gave no token: "+why+".")
}
