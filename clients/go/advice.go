package countersign

func adviceOn(code string) string {
	if advice, ok := advices[code]; ok {
		return advice
	}
	return "See docs/reference/refusals.md, or ask the operator of the API."
}

const (
	adviceLater    = "The API has an outage. Try again later."
	adviceOperator = "The API is at fault. Tell its operator."
	adviceSignLast = "Something changed after signing: sign last, and send exactly what was signed."
)

// What to do about each refusal code of an API.
var advices = map[string]string{
	"request_malformed":              "The request can be read in two ways (a repeated field, a strange path). Send it plainly.",
	"fields_too_large":               "Send fewer or shorter header fields.",
	"origin_mismatch":                "Use the host and scheme under which the API knows itself; a proxy may rewrite Host.",
	"signature_required":             "Sign the request. If it was signed, a proxy removed the fields.",
	"signature_malformed":            adviceSignLast,
	"signature_ambiguous":            "Sign a request once.",
	"signature_incomplete":           adviceSignLast,
	"credential_uncovered":           adviceSignLast,
	"algorithm_not_allowed":          "Use an Ed25519 key.",
	"signature_expired":              "The signature is too old. Sign right before sending. Compare the clocks.",
	"signature_not_yet_valid":        "The signature is from the future. Compare the clocks.",
	"signature_invalid":              "Register the key with the API. If it is registered: something changed after signing: sign last, and send exactly what was signed.",
	"signature_replayed":             "Each signature counts once. Switch off retries that send a request again unchanged.",
	"key_not_valid":                  "The key is not valid now. Rotate to the current key.",
	"agent_suspended":                "The operator of the API suspended this agent. Ask them.",
	"digest_required":                adviceSignLast,
	"digest_malformed":               adviceSignLast,
	"digest_mismatch":                "The body is not the one that was signed: look for a proxy that rewrites bodies.",
	"body_too_large":                 "Send less at once.",
	"body_incomplete":                "The connection ended early. Send the request again.",
	"body_timeout":                   "The body was sent too slowly. Send the request again.",
	"proof_ambiguous":                "Send a signature or a DPoP proof, not both.",
	"dpop_proof_required":            "The API takes this token only with a DPoP proof, which this client does not make.",
	"dpop_proof_invalid":             "The API takes this token only with a DPoP proof, which this client does not make.",
	"dpop_proof_expired":             "Make a new DPoP proof.",
	"dpop_proof_replayed":            "Make a new DPoP proof.",
	"dpop_nonce_required":            "Make a DPoP proof with the nonce of the answer.",
	"certificate_refused":            "Use a current certificate of a trust domain that the API trusts.",
	"token_malformed":                "The token is not a JWT access token (RFC 9068). Get another one.",
	"token_invalid":                  "The token is not valid here: wrong key, wrong kind, or issued for too long. Get another one.",
	"token_expired":                  "Get a new token. Compare the clocks.",
	"token_issuer_unknown":           "Get a token from an issuer that the API trusts.",
	"token_audience_mismatch":        "Get a token for this API: its audience is another one.",
	"token_delegation_invalid":       "Exchange the user's token for one that names this agent (Agent.ActFor).",
	"token_not_bound_to_agent":       "The token is for another agent or key. Get one for this agent.",
	"token_revoked":                  "The token was revoked. Get a new one.",
	"delegation_malformed":           "Send the bundle as it came.",
	"delegation_invalid":             "The links do not lead to this agent. Send the bundle as it came, and sign with its key.",
	"delegation_audience_mismatch":   "Ask the agent before you to delegate for this API.",
	"delegation_expired":             "Ask the agent before you to delegate again. Compare the clocks.",
	"delegation_wider":               "A link gives more than its delegator had. Ask the agent before you to delegate less.",
	"delegation_too_deep":            "Delegate more directly: the API accepts fewer steps.",
	"delegation_revoked":             "Something in the chain was revoked. Ask whoever delegated to you.",
	"policy_denied":                  "No policy permits this. Ask the operator of the API.",
	"insufficient_scope":             "The scope does not reach this far: get a token or a delegation with the named scope.",
	"authorization_details_exceeded": "The delegation is for other actions or resources. Ask for one for this.",
	"approval_denied":                "People were asked, and did not approve this.",
	"approval_malformed":             "The approval cannot be read. Ask for a new one.",
	"approval_mismatch":              "The approval is for another request, or policy has changed since. Ask for a new one.",
	"approvals_unavailable":          adviceLater,
	"approval_required":              "A person must agree first. Ask for an approval and repeat the request with it.",
	"approval_invalid":               "The approval is not for this request. Ask for a new one.",
	"approval_used":                  "An approval counts once. Ask for a new one.",
	"approval_expired":               "The approval is not valid any more. Ask for a new one.",
	"policy_error":                   adviceOperator,
	"route_unmapped":                 "The API has not said which permission this route needs. Tell its operator.",
	"resource_unresolved":            adviceOperator,
	"body_consumed":                  adviceOperator,
	"not_authenticated":              adviceOperator,
	"internal_error":                 adviceOperator,
	"keys_unavailable":               adviceLater,
	"issuer_unavailable":             adviceLater,
	"revocations_unavailable":        adviceLater,
	"replay_unknown":                 "The API was restarted. Sign the request anew and send it again, once.",
	"replay_store_unavailable":       adviceLater,
	"spool_unavailable":              adviceLater,
	"policy_unavailable":             adviceLater,
	"audit_unavailable":              adviceLater,
	"shutting_down":                  adviceLater,
}
