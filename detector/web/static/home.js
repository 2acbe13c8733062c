// The newest findings, live. A hidden tab closes its stream: browsers allow six a host.
const list = document.getElementById("findings");
const shown = 20;
const seen = new Set();
let source, last = "";

function show(finding) {
  if (seen.has(finding.finding_id)) return;
  seen.add(finding.finding_id);
  const row = document.createElement("li");
  row.className = `tier${finding.tier}`;
  row.lang = "zh-CN";
  row.textContent = finding.sentence.zh;
  row.title = finding.sentence.en;
  list.querySelector(".empty")?.remove();
  list.prepend(row);
  while (list.children.length > shown) list.lastChild.remove();
}

async function snapshot() {
  const told = await (await fetch(`/api/v1/findings?state=stands&limit=${shown}`)).json();
  list.replaceChildren();
  seen.clear();
  told.items.reverse().forEach(show);
  if (!told.items.length) list.innerHTML = '<li class="empty">暂无发现 <span lang="en">none yet</span></li>';
}

function open() {
  source?.close();
  source = new EventSource(`/api/v1/stream${last ? `?last=${last}` : ""}`);
  source.addEventListener("finding", (e) => {
    last = e.lastEventId;
    const finding = JSON.parse(e.data);
    if (!finding.muted) show(finding);
  });
  source.addEventListener("change", (e) => { last = e.lastEventId; });
  source.addEventListener("resync", (e) => { last = e.lastEventId; snapshot(); });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) source?.close();
  else open();
});
open();
await snapshot();
