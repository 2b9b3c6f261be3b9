// A reviewer with a real browser, scripts off. Prints one line of JSON: what they saw.
// Usage: node reviewer.mjs URL WHO approve|reject [FOLDER for screenshots]
//        node reviewer.mjs URL WHO stay PLACE   begins at PLACE, and prints the cookies
import { chromium } from 'playwright-core';

const [url, who, verdict, folder] = process.argv.slice(2);
const staying = verdict === 'stay';
const seen = { pages: [], steps: [] };
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  for (const colorScheme of folder && !staying ? ['light', 'dark'] : ['light']) {
    const context = await browser.newContext({ javaScriptEnabled: false, colorScheme, viewport: { width: 1100, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('response', (one) => seen.steps.push(`${one.status()} ${one.url()}`));
    const shot = async (name) => {
      seen.pages.push((await page.innerText('body')).trim());
      if (folder && !staying) await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png`, fullPage: true });
    };
    const planted = { name: 'lockgate_session', value: 'planted', url };
    await context.addCookies([planted]);
    await page.goto(staying ? folder : `${url}/approvals`);
    // Some issuers ask for a name, the demo's shows them.
    const named = page.locator(`button[name=who][value="${who}"]`);
    if (!(await named.count())) await page.fill('input[name=who]', who);
    else if (folder && !staying) await page.screenshot({ path: `${folder}/login-${colorScheme}.png` });
    await ((await named.count()) ? named : page.locator('button')).click();
    await page.waitForURL(`${url}/approvals`);
    await shot('list');
    seen.cookies = (await context.cookies()).filter((one) => one.name.startsWith('lockgate'));
    if (staying) continue;
    await page.click('tbody a');
    await shot('approval');
    if (colorScheme === 'light' && folder) continue;
    if (await page.locator('input[name=read]').count()) {
      await page.check('input[name=read]');
    }
    if (verdict === 'approve') {
      await page.click('button.yes');
    } else {
      await page.fill('input[name=reason]', 'not by the browser');
      await page.click('button.no');
    }
    await shot('answered');
    await page.click('button.plain');
    await shot('out');
  }
} catch (fault) {
  seen.fault = String(fault);
}
await browser.close();
console.log(JSON.stringify(seen));
