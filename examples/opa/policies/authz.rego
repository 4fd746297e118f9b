package agent.authz

# The article's rule, in today's Rego. Everything that is not allowed is denied.
default allow := false

allow if {
	input.actor.type == "agent"
	input.actor.id == "agent-code-reviewer-01"
	input.on_behalf_of.user_id == "user_123"
	input.action == "pr.create"
	input.resource.repo == "acme/api"
	"pr:write:draft" in input.scope
}
