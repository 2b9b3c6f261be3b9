// A development issuer with sample users: each is a client that gets a token for itself. Its keys are made
// anew at every start. Never use it for anything that matters.
import { readFileSync } from 'node:fs';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const issuer = 'http://127.0.0.1:9400';
const secret = readFileSync('/run/secrets/client-secret', 'utf8').trim();
const groups = { ann: ['engineers'], ben: ['sales'] };

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };

const provider = new Provider(issuer, {
  clients: Object.keys(groups).map((client_id) => ({
    client_id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  })),
  jwks: { keys: [key] },
  scopes: ['mcp'],
  cookies: { keys: [randomUUID()] },
  extraTokenClaims: (ctx, token) => ({ groups: groups[token.clientId] }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'mcp',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});

provider.listen(9400, '0.0.0.0', () => console.log(issuer));
