import { calls } from './input-calls.js';
import type { InputRead } from './input-sources.js';
import { nameOf } from './results.js';
import { isFunction, isNode, keyOf, type NestedNode } from './syntax.js';
import { wrappers } from './values.js';

/** How much of a row is returned, and in which order and form. */
const options = new Set(
  `limit offset page pagesize pagenumber pageindex perpage size pagelimit skip take cursor after before
  sort sortby sortorder sortdir sorting orderby orderdir direction include includes expand fields select populate embed
  with projection relations attributes format pretty verbose depth since until startdate enddate fromdate todate
  lang language locale timezone tz count nocache debug`.split(/\s+/),
);
/** What each client sends, and who it is: the guard knows that. */
const plainHeaders =
  /^(?:authorization|accept(?:-.*)?|user-agent|if-.*|range|content-.*|cache-control|referer|x-request-id|x-correlation-id|traceparent|tracestate|idempotency-key|prefer)$/i;
/** A body is the data of a row. Of its members these say where the row is. */
const places =
  /^(?:tenant|org|organi[sz]ation|shop|store|workspace|company|realm|namespace|schema|table|collection|database|db|bucket|shard|partition)(?:id|key|slug|name)?$/;
const reads = /^(?:get|find|fetch|load|read|retrieve|lookup|select|list|search|count|exists)(?!.*(?:And|Or)[A-Z])/;
const changes = /^(?:update|replace|delete|remove|find\w*And)/;
const filters = /^(?:where|filter|query|criteria|conditions?|selector|key)$/i;

/** Whether an input may be a part of the key of a row. */
export function isOfKey({ source, key }: InputRead, nested: NestedNode): boolean {
  const plain = (key ?? '').toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  if (source === 'body') return places.test(plain) || isCondition(nested, key === undefined);
  // `stores[req.query.lang].get(id)`
  if (isChooser(nested)) return true;
  if (/^headers?$/.test(source)) return !plainHeaders.test(key ?? '');
  return !options.has(plain);
}

/** Whether a node chooses a member of an object. */
function isChooser({ node, parent }: NestedNode): boolean {
  if (parent === undefined) return false;
  const { type, object, property, computed } = parent.node;
  if (isNode(object) && object === node) return isChooser(parent);
  return (computed === true && property === node) || (wrappers.test(type) && isChooser(parent));
}

/** Whether a part of a body is not the data of a row, but says which one it is. */
function isCondition({ node, parent }: NestedNode, isWhole: boolean): boolean {
  if (parent === undefined || isFunction(parent.node)) return false;
  const { type, callee, arguments: given } = parent.node;
  if (type === 'ObjectProperty' && filters.test(keyOf(parent.node) ?? '')) return true;
  if (!calls.test(type) || !Array.isArray(given)) return isCondition(parent, isWhole);
  const [name, isObject] = [nameOf(callee), node.type === 'ObjectExpression'];
  // Not `find(id, req.body)`, whose body may be anything.
  if (callee !== node && reads.test(name)) return !isWhole || isObject;
  return isObject && changes.test(name) && given[0] === node && given.length > 1;
}
