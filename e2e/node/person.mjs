// A person at the provider, without a browser: logs in, gets an access token, and logs out again.
// Cookies are kept in a file. Prints the token.
// Usage: node person.mjs login JAR ISSUER CLIENT SECRET CALLBACK RESOURCE WHO
//        node person.mjs logout JAR ISSUER
//        node person.mjs walk JAR ASKED CALLBACK WHO   prints where the browser is sent back to
//        node person.mjs connect JAR PAGES WHO CONNECTION   prints the page at the end, where a server's
//                                                           provider asks nothing
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const [what, jarFile, ...rest] = process.argv.slice(2);
const [issuer, client, secret, , resource] = rest;
const [callback, who] = { walk: rest.slice(1), login: [rest[3], rest[5]] }[what] ?? [];
const jar = new Map(existsSync(jarFile) ? JSON.parse(readFileSync(jarFile, 'utf8')) : []);

// One request with the cookies so far; redirects are followed by hand, but for the one to the client.
async function visit(url, form) {
  const headers = { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') };
  const body = form && new URLSearchParams(form);
  const answer = await fetch(url, { method: form ? 'POST' : 'GET', body, headers, redirect: 'manual' });
  for (const line of answer.headers.getSetCookie()) {
    const [pair] = line.split(';');
    const at = pair.indexOf('=');
    if (pair.slice(at + 1)) jar.set(pair.slice(0, at), pair.slice(at + 1));
    else jar.delete(pair.slice(0, at));
  }
  const to = answer.headers.get('location');
  if (!to) return { url, text: await answer.text() };
  const next = new URL(to, url).href;
  return callback && next.startsWith(callback) ? { url: next } : visit(next);
}

if (what === 'walk') {
  const form = await visit(rest[0]);
  console.log((await visit(form.url, { who })).url);
} else if (what === 'connect') {
  const [pages, name, connection] = rest;
  const here = `${pages}/connect/${connection}`;
  const form = await visit(here);
  const page = await visit(form.url, { who: name });
  const token = /name="token" value="([^"]+)"/.exec(page.text)[1];
  // The page leads on by itself.
  const on = await visit(here, { token, verdict: 'connect' });
  const to = /url=([^"]+)"/.exec(on.text)[1].replaceAll('&#38;', '&').replaceAll('&amp;', '&');
  console.log((await visit(to)).text);
} else if (what === 'login') {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const asked = new URL('/auth', issuer);
  asked.search = new URLSearchParams({
    client_id: client, response_type: 'code', redirect_uri: callback, scope: 'openid mcp', resource,
    code_challenge: challenge, code_challenge_method: 'S256',
  });
  const form = await visit(asked.href);
  const back = new URL((await visit(form.url, { who })).url);
  const given = await fetch(new URL('/token', issuer), {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client}:${secret}`)}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code', code: back.searchParams.get('code'), redirect_uri: callback,
      code_verifier: verifier, resource,
    }),
  });
  console.log((await given.json()).access_token);
} else {
  const page = await visit(new URL('/session/end', issuer).href);
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)[1];
  await visit(new URL('/session/end/confirm', issuer).href, { xsrf, logout: 'yes' });
  console.log('logged out');
}
writeFileSync(jarFile, JSON.stringify([...jar]));
