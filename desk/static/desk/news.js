"use strict";
// Tells what came since the page was opened, and moves nothing: in a bar, in the title, by sound and by notification.
(() => {
  const PERIOD = 20_000;
  const HIDDEN_PERIOD = 30_000; // Browsers make it a minute after a while.
  const LONGEST_PERIOD = 300_000; // after failures
  const FAILURES_SHOWN = 3;
  const MANY = 100; // ids: more make a long address

  const bar = document.getElementById("news");
  const [line, changed, age] = ["news-new", "news-changed", "news-age"].map((id) => document.getElementById(id));
  const [failed, ended, close] = ["news-failed", "news-ended", "news-close"].map((id) => document.getElementById(id));
  const numbers = (text) => text.split(" ").filter(Boolean).map(Number);
  const incidents = new Set(numbers(bar.dataset.incidents));
  const entries = new Set(numbers(bar.dataset.entries ?? ""));
  const title = document.title;
  const ago = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  let fresh = [];
  let more = false; // than `fresh`
  let changedAt = 0;
  let failures = 0;
  let etag = "";
  let asked = Date.now() - (Math.random() * PERIOD) / 2; // Windows that are opened together take turns.
  let isAsking = false;
  let timer = 0;

  const kept = (name) => localStorage.getItem(name) ?? "";

  const beep = () => {
    const audio = new AudioContext();
    const tone = new OscillatorNode(audio, { frequency: 660 });
    const volume = new GainNode(audio, { gain: 0 });
    tone.frequency.setValueAtTime(880, 0.2);
    volume.gain.linearRampToValueAtTime(0.2, 0.05);
    volume.gain.setValueAtTime(0.2, 0.4);
    volume.gain.linearRampToValueAtTime(0, 0.5);
    tone.connect(volume).connect(audio.destination);
    tone.start();
    // On a page that was not pressed yet the browser is silent: do not catch up at a later press.
    setTimeout(() => audio.close(), 1_500);
  };

  // Raises where browsers have notifications for service workers only, as on Android.
  const notify = (body) => {
    const notification = new Notification(title, { body, tag: "news", lang: document.documentElement.lang });
    notification.addEventListener("click", () => focus());
  };

  // Of several windows of a browser the first that learns of an incident is heard.
  const tell = () => {
    const told = new Set(numbers(kept("news told")));
    if (fresh.every((id) => told.has(id))) return;
    localStorage.setItem("news told", [...fresh, ...told].slice(0, MANY).join(" "));
    if (kept("news sound")) beep();
    if (kept("news notification") && Notification.permission === "granted" && !document.hasFocus()) notify(words());
  };

  const count = () => `${fresh.length}${more ? "+" : ""}`;
  const words = () => line.querySelector("span").dataset.words.replace("{n}", count());

  const setText = (element, text) => {
    // The same words anew would be read out again.
    if (element.textContent !== text) element.textContent = text;
  };

  const showAge = () => {
    const seconds = Math.max(0, Math.round((Date.now() - changedAt) / 1000));
    const unit = seconds < 60 ? "second" : seconds < 3600 ? "minute" : "hour";
    const size = { second: 1, minute: 60, hour: 3600 }[unit];
    setText(age, ago.format(-Math.floor(seconds / size), unit));
  };

  const show = () => {
    line.hidden = fresh.length === 0;
    document.title = fresh.length ? `(${count()}) ${title}` : title;
    if (fresh.length) {
      setText(line.querySelector("span"), words());
      const listed = more || fresh.length > MANY ? "" : `?id__in=${fresh.join(",")}`;
      line.querySelector("a").href = `${bar.dataset.list}${listed}`;
    }
    if (changed) changed.hidden = changedAt === 0;
    if (changedAt) showAge();
    const isShown = [...bar.children].some((child) => child !== close && !child.hidden);
    close.hidden = !isShown;
    bar.toggleAttribute("data-shown", isShown);
  };

  const takeIn = (news) => {
    const found = news.incidents.filter((id) => id > Number(bar.dataset.floor) && !incidents.has(id));
    more ||= found.length > 0 && found.length === news.incidents.length && incidents.size > 0;
    for (const id of found) incidents.add(id);
    fresh.unshift(...found);
    if (found.length) tell();
    const oldest = entries.size ? Math.min(...entries) : 0;
    const [latest] = news.entries.filter(([id]) => id > oldest && !entries.has(id));
    if (latest) {
      for (const [id] of news.entries) entries.add(id);
      const [, who, at] = latest;
      const text = changed.querySelector("span");
      setText(text, text.dataset.words.replace("{who}", who));
      changedAt = Date.parse(at);
    }
  };

  const ask = async () => {
    isAsking = true;
    asked = Date.now();
    try {
      const response = await fetch(bar.dataset.url, {
        headers: etag ? { "If-None-Match": etag } : {},
        cache: "no-store",
        redirect: "manual",
        signal: AbortSignal.timeout(10_000),
      });
      // An ended session redirects to the log-in page; who may not view incidents any more is told nothing.
      if (response.type === "opaqueredirect" || response.status === 403) {
        ended.hidden = response.status === 403;
        failed.hidden = true;
        show();
        return; // still "asking": for ever
      }
      if (response.status !== 304) {
        if (!response.ok) throw new Error(response.status);
        takeIn(await response.json());
        etag = response.headers.get("ETag");
      }
      failures = 0;
    } catch {
      failures += 1;
    }
    failed.hidden = failures < FAILURES_SHOWN;
    show();
    isAsking = false;
    plan();
  };

  const plan = () => {
    if (isAsking) return;
    const period = document.hidden ? HIDDEN_PERIOD : PERIOD;
    clearTimeout(timer);
    timer = setTimeout(ask, Math.max(0, asked + Math.min(period * 2 ** failures, LONGEST_PERIOD) - Date.now()));
  };

  const forget = () => {
    fresh = [];
    more = false;
    changedAt = 0;
    failed.hidden = true;
    ended.hidden = true;
    show();
  };

  close.addEventListener("click", forget);
  // What was opened is not new, be it in another tab.
  for (const kind of ["click", "auxclick"]) {
    line.querySelector("a").addEventListener(kind, ({ button }) => button < 2 && setTimeout(forget));
  }
  document.addEventListener("visibilitychange", plan);
  plan();

  // The choices
  const choices = document.getElementById("news-choices");
  const [sound, notification, refused] = ["news-sound", "news-notification", "news-refused"].map((id) =>
    document.getElementById(id),
  );
  const canNotify = isSecureContext && "Notification" in window;
  choices.hidden = false;
  sound.checked = kept("news sound") !== "";
  notification.checked = canNotify && kept("news notification") !== "" && Notification.permission === "granted";
  notification.disabled = !canNotify;
  sound.addEventListener("change", () => {
    localStorage.setItem("news sound", sound.checked ? "yes" : "");
    if (sound.checked) beep();
  });
  notification.addEventListener("change", async () => {
    try {
      if (notification.checked && (await Notification.requestPermission()) !== "granted") throw new Error("refused");
      if (notification.checked) notify(notification.labels[0].textContent.trim());
      refused.hidden = true;
    } catch {
      notification.checked = false;
      refused.hidden = false;
    }
    localStorage.setItem("news notification", notification.checked ? "yes" : "");
  });
})();
