// RFC 8693 for oidc-provider, as a grant of its own: the subject token must be one of this provider's own
// access tokens, still good, and is exchanged for one of the same person for the resource alone. Whoever is
// in no group gets none.
import { createPublicKey, verify } from 'node:crypto';
import { errors } from 'oidc-provider';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const PARAMETERS = ['subject_token', 'subject_token_type', 'requested_token_type', 'resource', 'scope'];

// Who a token speaks of, if it is a good one under one of these keys.
function subject(token, { keys }, issuer) {
  const [head, body, signature] = token.split('.');
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
  const { kid } = read(head);
  const key = keys.find((one) => one.kid === kid);
  const signed = key && verify(
    'RSA-SHA256',
    Buffer.from(`${head}.${body}`),
    createPublicKey({ key, format: 'jwk' }),
    Buffer.from(signature, 'base64url'),
  );
  const claims = read(body);
  if (!signed || claims.iss !== issuer || claims.exp * 1000 <= Date.now()) throw new Error('no good token');
  return claims.sub;
}

// `ttl` says how long tokens of somebody live, in seconds; `member` whether they are in a group.
export function exchange(provider, { keys, ttl, member }) {
  provider.registerGrantType(GRANT, async (ctx) => {
    const { client, params } = ctx.oidc;
    if (params.subject_token_type !== ACCESS_TOKEN) throw new errors.InvalidRequest('no access token');
    if ((params.requested_token_type ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
      throw new errors.InvalidRequest('only access tokens are given');
    }
    let who;
    try {
      who = subject(params.subject_token, keys, provider.issuer);
    } catch {
      throw new errors.InvalidGrant('the subject token is not good');
    }
    if (!member(who)) throw new errors.AccessDenied('no access');
    if (typeof params.resource !== 'string') throw new errors.InvalidTarget('one resource, please');
    const token = new provider.AccessToken({ client, accountId: who, gty: 'token_exchange', scope: params.scope });
    token.resourceServer = new provider.ResourceServer(params.resource, {
      scope: 'mcp', accessTokenFormat: 'jwt', accessTokenTTL: ttl(who), jwt: { sign: { alg: 'RS256' } },
    });
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: token.expiration,
      scope: params.scope,
    };
  }, PARAMETERS);
}
