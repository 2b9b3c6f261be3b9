// Somebody with a real browser, scripts off, who connects an account on a page of the gateway, or
// disconnects it. Prints one line of JSON: what they saw.
// Usage: node connect.mjs URL WHO CONNECTION ACCOUNT|disconnect
import { chromium } from 'playwright-core';

const [url, who, connection, account] = process.argv.slice(2);
const seen = { pages: [], steps: [] };
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('response', (one) => seen.steps.push(`${one.status()} ${one.url().split('?')[0]}`));
  const shot = async () => seen.pages.push((await page.innerText('body')).trim());
  const here = `${url}/connect/${connection}`;
  await page.goto(here);
  await page.fill('input[name=who]', who);
  await page.click('button');
  await page.waitForURL(here);
  await shot();
  if (account === 'disconnect') {
    await page.click('button.no');
  } else {
    await page.click('button.yes');
    // The page leads on by itself.
    await page.fill('input[name=who]', account);
    await page.click('button');
  }
  await page.waitForURL(here);
  await page.waitForSelector(account === 'disconnect' ? 'button.yes' : 'button.no');
  await shot();
} catch (fault) {
  seen.fault = String(fault);
}
await browser.close();
console.log(JSON.stringify(seen));
