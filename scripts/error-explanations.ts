import type { ErrorCode } from '#base/errors'

type Explanation = {
  /** What has happened. */
  readonly means: string
  /** What the caller, or who runs the gateway, can do. */
  readonly remedy: string
}

/** The text of docs/errors.md. A new code does not pass the type check before it is explained here. */
export const errorExplanations: Readonly<Record<ErrorCode, Explanation>> = {
  'bad-request': {
    means:
      'The request breaks HTTP in a way that two servers could read differently (framing, header syntax, Host, the ' +
      'path), or a value in it cannot be used where the configuration puts it. Nothing was sent to the service.',
    remedy:
      'Caller: correct the request; `detail` names the part. Ordinary HTTP libraries do not send such requests, so ' +
      'look for hand-written headers or a path that is not percent-encoded.',
  },
  'invalid-body': {
    means:
      'The body was read by the gateway, and it is not what this route takes: not JSON, or not the expected shape.',
    remedy: 'Caller: correct the body; `detail` says what is wrong with it.',
  },
  'invalid-parameter': {
    means: 'A query parameter of the admin API has a value that it cannot have, or there is no such parameter.',
    remedy: 'Caller: correct the parameter that `detail` names.',
  },
  'missing-credentials': {
    means: 'The route needs an API key and the request carries none.',
    remedy:
      'Caller: send the key in `x-api-key` or as `Authorization: Bearer <key>`. Operator: the header may have another ' +
      'name, and keys in the query are read only where `key-auth` says so.',
  },
  'invalid-credentials': {
    means: 'The request carries a key that belongs to nobody, or two different keys in one place.',
    remedy:
      'Caller: check the key for lost or added characters, and send one only. Operator: look whether the consumer is ' +
      'in the configuration that is running.',
  },
  'client-certificate-missing': {
    means: 'The route needs a client certificate (`mtls-auth`), and the connection has none that was verified.',
    remedy:
      'Caller: use https, and show a certificate of an authority that the gateway accepts. Operator: ' +
      '`settings.tls.clientCertificates` names the authorities; without it no certificate is asked for.',
  },
  'client-certificate-refused': {
    means: 'The client certificate was verified, but belongs to no consumer that the route lets pass, or has expired.',
    remedy:
      'Operator: see `by` and `consumers` of `mtls-auth`; the names in a certificate are shown by ' +
      '`openssl x509 -noout -subject -ext subjectAltName -fingerprint -sha256`.',
  },
  'address-not-allowed': {
    means: 'The address of the client is not in the ranges that `ip-allow` names for this route.',
    remedy:
      'Operator: add the address to `allow`. Behind another proxy or a load balancer, name it in ' +
      '`settings.trustedProxies`; without that, its address is taken for the client.',
  },
  'not-allowed': {
    means: 'It is known who is calling, but this consumer may not do this.',
    remedy: 'Caller: ask for the right to do it; sending the request again does not help.',
  },
  'no-route': {
    means: 'No route fits host, path, headers and query of the request.',
    remedy:
      'Operator: `portico explain METHOD URL` lists the routes that came near and why each was passed over. ' +
      'Caller: check the path and the host name.',
  },
  'not-found': {
    means: 'The address is one of the gateway itself, and there is nothing at it.',
    remedy: 'Caller: check the identifier; call records, for instance, are kept for a limited time.',
  },
  'model-not-found': {
    means:
      'The AI call names a model that is neither a configured alias nor `provider/model` of a configured provider.',
    remedy: 'Caller: take a name from `GET /ai/v1/models`. Operator: add the alias or the provider under `ai`.',
  },
  'method-not-allowed': {
    means: 'The path has routes, but none for this method. The `Allow` header lists the methods there are.',
    remedy: 'Caller: use one of them. Operator: add the method to `methods` of the route.',
  },
  'request-timeout': {
    means: 'The head or the body of the request did not arrive in time.',
    remedy:
      'Caller: send it again over a better connection. Operator: see `settings.timeouts` and `settings.minimumRate`.',
  },
  conflict: {
    means: 'Somebody else has changed the resource since it was read (`If-Match` does not fit).',
    remedy: 'Caller: read it again, apply the change to what is there now, and send that.',
  },
  'body-too-large': {
    means: 'The request body is larger than the route takes.',
    remedy: 'Caller: send less, or in parts. Operator: raise `max` of `body-limit`.',
  },
  'target-too-long': {
    means: 'Path and query together are longer than the gateway takes.',
    remedy: 'Caller: put long data into a body. Operator: raise `settings.limits.target`.',
  },
  'expectation-failed': {
    means: 'The request has an `Expect` header with something else than `100-continue`.',
    remedy: 'Caller: leave the header out.',
  },
  'websocket-version': {
    means: 'The request asks for a WebSocket of another version than 13, or names none.',
    remedy: 'Caller: use a client that speaks RFC 6455; the answer names the version in `Sec-WebSocket-Version`.',
  },
  'rate-limited': {
    means:
      'The limit of this caller, or of all callers together, is used up. `Retry-After` says in how many seconds one ' +
      'more call passes; `RateLimit-Policy` and `RateLimit` say what the limit is.',
    remedy: 'Caller: wait that long, then go on more slowly. Operator: see the `rate-limit` policy.',
  },
  'head-too-large': {
    means: 'The header fields of the request are too many or too long.',
    remedy: 'Caller: often it is cookies; delete them. Operator: see `settings.limits.head` and `.headers`.',
  },
  'client-closed': {
    means: 'The client closed the connection before it had its answer. Nobody sees this status; it is in the call log.',
    remedy: 'Operator: many of these on one route usually mean that it is slower than the timeouts of its callers.',
  },
  internal: {
    means: 'A mistake in the gateway itself.',
    remedy: 'Operator: find the `requestId` in the log and report what stands there. Caller: trying again may help.',
  },
  'not-implemented': {
    means: 'The request asks for something that this version does not do, such as CONNECT.',
    remedy: 'Caller: do without it.',
  },
  'upstream-unreachable': {
    means:
      'No connection to the service could be made: nothing listens there, its name is unknown, or it did not accept.',
    remedy: 'Operator: check that the targets of the service run and can be reached from the gateway.',
  },
  'upstream-invalid': {
    means: 'The service sent something that is not clear HTTP. It is not passed on, since clients could misread it.',
    remedy: 'Operator: check that the target is an HTTP port, and whether the service writes its headers correctly.',
  },
  'upstream-closed': {
    means:
      'The service closed the connection before its response was complete. When the response had begun, the client ' +
      'sees a broken connection instead of this status.',
    remedy: 'Operator: look into the log of the service at that time. Caller: read-only requests can be sent again.',
  },
  'upstream-tls': {
    means: 'The service was reached, but no secure connection came about: certificate, name or protocol do not fit.',
    remedy: 'Operator: check that the certificate is valid for the host in the target URL and not expired.',
  },
  'no-healthy-target': {
    means: 'The service has targets, but none that may be used at the moment.',
    remedy: 'Operator: check the targets and their weights. Caller: try again after `Retry-After`.',
  },
  'circuit-open': {
    means:
      'Most of the latest calls to the service failed, so that its circuit breaker is open: calls are refused at once, ' +
      'without being sent. After a while a few are let through, and when they succeed all are.',
    remedy:
      'Caller: try again after `Retry-After`. Operator: find out why the service fails; see `breaker` of its upstream.',
  },
  overloaded: {
    means:
      'The gateway takes no more work for the moment: a limit of calls, connections or memory is reached, the queue of ' +
      'the service is full or its turn did not come in time, or the call needs something that is not available.',
    remedy:
      'Caller: try again after `Retry-After`. Operator: the detail says which limit it was; see `settings.limits`, and ' +
      '`limits` and `concurrency` of the upstream (docs/resilience.md), and connections and load in `/metrics`.',
  },
  draining: {
    means: 'The gateway is about to stop and takes no new requests.',
    remedy: 'Caller: send it again; a new connection reaches another instance or the restarted one.',
  },
  'upstream-timeout': {
    means: 'The service did not begin or did not complete its response in time.',
    remedy: 'Operator: see `upstream.timeouts` of the service, and why it is slow. Caller: the work may still be done.',
  },
  'version-not-supported': {
    means: 'The request line names another version than HTTP/1.0 or HTTP/1.1.',
    remedy: 'Caller: use HTTP/1.1.',
  },
}
