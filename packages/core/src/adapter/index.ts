export { actingUserOf } from './acting-user.js';
export { type Admission, admissionOf } from './admission.js';
export { type AdmissionOptions, admit, type HostExchange } from './admit.js';
export {
  admissionOptionNames,
  checkAdmissionOptions,
  checkPermission,
  type PermitOptions,
} from './check-arguments.js';
export { checkedGuard, type GuardInTime, guardInTime } from './guard-in-time.js';
export { type HandlerMark, isPermit, markHandler, markOf } from './handler-mark.js';
export { permissionRequest, type ResourceOf } from './permission-request.js';
export { type Enforce, permission } from './permission.js';
export { type PermitDecorator, permitDecorator } from './permit-decorator.js';
export { exempt, type PermissionRequest, enforcePermission } from './permitted.js';
export type { Respond } from './respond.js';
export type { NamedResource, RouteResource } from './route-resource.js';
export { sendRefusal } from './send-refusal.js';
export { closesUnmapped, coverBelow, refuseAgent, refuseUnmapped } from './unmapped.js';
export type { OutcomeWatch } from './watch-outcome.js';
