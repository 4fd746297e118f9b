// Runs in the page. The data is untrusted, so it only becomes text, never markup.
const all = JSON.parse(document.getElementById('data').textContent);
const byId = (id) => document.getElementById(id);
const form = byId('filters');
const body = byId('list').querySelector('tbody');
const step = 100;
const signs = { allowed: '✓', approved: '✓✓', denied: '✗', refused: '⊘', observed: '⚠', undecided: '⚠', ended: '·' };
const words = { observed: 'would be refused' };
let matching = all;
let shown = 0;

// Unsealed entries are marked in words everywhere.
const mark = (text) => element('span', `⚠ ${text}`, 'unverified');

const resourceTexts = ({ resources }) => resources.map(({ type, id }) => `${type}::"${id}"`);

for (const entry of all) {
  const { record, target, ended } = entry;
  entry.moment = Date.parse(record.time);
  entry.text = [...Object.values(record).filter((value) => typeof value === 'string'), target, ended, entry.verdict]
    .concat(
      record.chain.map(({ id }) => id),
      resourceTexts(record),
    )
    .join('\n')
    .toLowerCase();
}

const fields = {
  actor: ({ record }) => [record.actor],
  subject: ({ record }) => [record.subject],
  action: ({ record }) => [record.action],
  resource: ({ record }) => resourceTexts(record),
};
for (const [name, read] of Object.entries(fields)) {
  const counts = new Map();
  for (const value of all.flatMap(read)) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = [...counts].toSorted((a, b) => b[1] - a[1]).slice(0, 500);
  const options = most.map(([value, count]) => new Option(`${value} (${count})`, value));
  byId(`f-${name}`).append(new Option('all', ''), ...options);
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

/** In a narrow column the line breaks before the time of day. */
function moment(time) {
  const [date = '', ...clock] = time.split(/(?=T)/);
  const made = element('time', date);
  for (const part of clock) made.append(element('wbr'), part);
  return made;
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'long' });
const dayAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });
/** The time for the reader, beside that of the record, with the day where it differs. Nothing where the reader has UTC. */
function localTime(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime()) || date.getTimezoneOffset() === 0) return undefined;
  const format = date.getDate() === date.getUTCDate() ? clock : dayAndClock;
  return element('span', format.format(date), 'local');
}
for (const time of document.querySelectorAll('time')) {
  const beside = localTime(time.textContent);
  if (beside !== undefined) time.append(' (', beside, ')');
}

function cell(label, ...content) {
  const made = element('td');
  made.dataset.label = label;
  const parts = content.filter(Boolean);
  if (parts.length === 0) return made;
  const inside = element('div');
  // The space separates the words for screen readers.
  inside.append(...parts.flatMap((part) => [part, ' ']));
  made.append(inside);
  return made;
}

const who = ({ actor, subject, claimedAgent, claimedKey }) => {
  if (actor !== undefined) return subject === undefined || subject === actor ? actor : `${actor} for ${subject}`;
  if (claimedAgent !== undefined) return `unverified, key of ${claimedAgent}`;
  return claimedKey === undefined ? 'unknown' : `unverified, claims key ${claimedKey}`;
};
const what = ({ record, target }) => {
  const { action, method, path } = record;
  return action === undefined ? `${method ?? ''} ${path ?? ''}` : `${action} ${target ?? ''}`;
};

function row(entry) {
  const { record, verdict, ended, open, endUnverified } = entry;
  const { code } = record;
  const made = element('tr', undefined, verdict);
  const name = record.log === undefined ? String(record.sequence) : `${record.log} ${record.sequence}`;
  const button = element('button', name);
  button.type = 'button';
  button.setAttribute('aria-expanded', 'false');
  button.setAttribute('aria-label', `Record ${name}, details`);
  button.addEventListener('click', () => toggle(made, entry, button));
  const decision = element('span', `${signs[verdict]} ${words[verdict] ?? verdict}`, 'verdict');
  made.append(
    cell('record', button),
    cell('time', moment(record.time), localTime(record.time)),
    cell('decision', decision, code && element('span', code, 'code'), record.unverified && mark('not verified')),
    cell('who', who(record)),
    cell('what', what(entry)),
    cell('end', ended ?? (open && element('b', 'no outcome')), endUnverified && mark('end not verified')),
  );
  return made;
}

const names = {
  id: 'id',
  phase: 'phase',
  detail: 'detail',
  scope: 'scope',
  policies: 'policies',
  policySet: 'policy set',
  approvedBy: 'approved by',
  approval: 'approval',
  actorKey: "actor's key",
  possession: 'proof of possession',
  claimedAgent: 'claimed agent (not verified)',
  claimedKey: 'claimed key (not verified)',
  requestId: 'request',
  callId: 'call',
  address: 'remote address',
};

function toggle(made, entry, button) {
  const open = made.nextElementSibling?.classList.contains('details');
  button.setAttribute('aria-expanded', String(!open));
  if (open) made.nextElementSibling.remove();
  else made.after(details(entry));
}

function details({ record, endedBy }) {
  const list = element('dl');
  const add = (name, value) => {
    if (value !== undefined && value !== '') list.append(element('dt', name), element('dd', value));
  };
  add('request line', record.method === undefined ? undefined : `${record.method} ${record.path ?? ''}`);
  for (const [at, { id, type, proof, scope, delegationId, ancestors, issuer }] of record.chain.entries()) {
    const proved = proof === 'issuer' ? `asserted by ${issuer ?? 'the issuer'}` : `proved by ${proof}`;
    const more = [
      type,
      proved,
      delegationId && `delegation ${delegationId}`,
      ancestors && `exchanged from ${ancestors}`,
    ];
    add(`hop ${at + 1}`, `${id} (${more.filter(Boolean).join(', ')})${scope === '' ? '' : `: ${scope}`}`);
  }
  add(record.filtered === undefined ? 'resource' : 'permitted', resourceTexts(record).join(', '));
  for (const [field, name] of Object.entries(names)) add(name, record[field]);
  add('shortened', record.oversize && `the whole record was ${record.oversize} bytes long`);
  add('outcome record', endedBy === undefined ? undefined : String(endedBy));
  const made = element('tr', undefined, 'details');
  const inside = element('td');
  inside.colSpan = 6;
  inside.append(list);
  made.append(inside);
  return made;
}

function more(count) {
  const next = matching.slice(shown, shown + count);
  body.append(...next.map(row));
  shown += next.length;
  byId('more').hidden = shown >= matching.length;
  byId('count').textContent =
    `${matching.length} of ${all.length} requests match; ${shown} are shown, the latest first.`;
}

function filter() {
  const verdicts = new Set([...form.querySelectorAll('[name=verdict]:checked')].map(({ value }) => value));
  const words = byId('f-text').value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = Object.entries(fields).filter(([name]) => byId(`f-${name}`).value !== '');
  const from = Date.parse(`${byId('f-from').value}Z`);
  const until = Date.parse(`${byId('f-until').value}Z`);
  matching = all.filter(
    (entry) =>
      verdicts.has(entry.verdict) &&
      (entry.open || !byId('f-open').checked) &&
      (entry.record.unverified || entry.endUnverified || !byId('f-unverified')?.checked) &&
      words.every((word) => entry.text.includes(word)) &&
      wanted.every(([name, read]) => read(entry).includes(byId(`f-${name}`).value)) &&
      !(entry.moment < from) &&
      !(entry.moment >= until),
  );
  body.replaceChildren();
  shown = 0;
  more(step);
}

form.addEventListener('input', filter);
form.addEventListener('reset', () => setTimeout(filter));
form.addEventListener('submit', (event) => event.preventDefault());
byId('more').addEventListener('click', () => {
  const last = body.lastElementChild;
  more(step);
  // A hidden button would lose the focus.
  if (byId('more').hidden) last?.nextElementSibling?.querySelector('button')?.focus();
});
// Where the graph does not fit, its list is shown.
const narrow = matchMedia('(max-width: 720px)');
const openList = () => {
  for (const list of document.querySelectorAll('details.chains')) list.open ||= narrow.matches;
};
openList();
narrow.addEventListener('change', openList);
// On paper nothing can be opened.
addEventListener('beforeprint', () => {
  for (const closed of document.querySelectorAll('details')) closed.open = true;
});
for (const id of ['filters', 'list']) byId(id).hidden = false;
filter();
