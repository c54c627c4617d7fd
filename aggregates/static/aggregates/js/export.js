// The chart as an image file, and the page on paper.
"use strict";

const IMAGE = { width: 1200, height: 640 };

// Plotly reads names as its small HTML, and as templates.
function plain(text) {
  return text.replaceAll("%{", "%\u200b{").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// As on the page, with what stands around it there: title, legend and a ground.
function pictured(element, title) {
  const layout = {
    ...element.layout,
    ...IMAGE,
    autosize: false,
    title: { text: plain(title), x: 0.02, xanchor: "left", font: { size: 17 } },
    showlegend: true,
    legend: { orientation: "h", y: -0.12, traceorder: "normal", itemsizing: "constant" },
    margin: { ...element.layout.margin, t: 64, b: 16 },
    xaxis: { ...element.layout.xaxis, automargin: true },
    paper_bgcolor: token("surface"),
    plot_bgcolor: token("surface"),
  };
  return { data: element.data.map((trace) => ({ ...trace, name: plain(cut(trace.name)) })), layout };
}

// Plotly's own way to PNG loads a blob, which the Content-Security-Policy forbids.
async function asPng(drawing) {
  const image = Object.assign(new Image(), { src: drawing });
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * IMAGE.width, height: 2 * IMAGE.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

async function saveChart(menu, format) {
  const chart = document.getElementById("chart-explore");
  if (!chart) return; // the page says why
  const figure = pictured(chart, menu.dataset.title);
  const drawing = await Plotly.toImage(figure, { ...IMAGE, format: "svg" });
  const href = format === "png" ? await asPng(drawing) : drawing;
  Object.assign(document.createElement("a"), { href, download: `${menu.dataset.file}.${format}` }).click();
}

// Where a page may not write to the clipboard, as without TLS, the address bar has the link.
async function copyLink(item) {
  const address = new URL(item.dataset.copy, location);
  try {
    await navigator.clipboard.writeText(address);
    item.textContent = "Link copied";
  } catch {
    location.assign(address);
  }
}

document.addEventListener("click", (event) => {
  const item = event.target.closest(".export-menu button, .export-menu a");
  if (!item) return;
  const menu = item.closest(".export-menu");
  if (item.dataset.copy) {
    copyLink(item);
    return;
  }
  menu.open = false;
  if (item.dataset.saveChart) saveChart(menu, item.dataset.saveChart);
  if ("print" in item.dataset) print();
});

// Paper is light, and narrower than the screen.
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("paper");
  drawCharts();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper");
  forgetCharts();
  drawCharts();
});
