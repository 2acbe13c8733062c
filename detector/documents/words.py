"""The fixed words of official documents, Chinese and English side by side."""

from __future__ import annotations

from detector.verdict import Text

TITLES = {2: Text("督办通知书", "Urging Notice"), 3: Text("整改通知书", "Rectification Notice")}

ORDERS = {  # what the document asks for as a whole
    2: Text("现予督办", "You are hereby urged to act"),
    3: Text("现要求限期整改", "You are required to rectify this within the limits below"),
}

OPENING = Text(
    "经{district}电子监察系统核查，你单位在行政权力运行中存在下列{n}情形，{order}。",
    "The electronic supervision of {district} has found {n} in your work. {order}.",
)
ALOFT = Text(
    "因一级监察未在规定时限内履责，本通知由监察控制中心提级发出。",
    "Since supervision of the first level did not act in time, the control centre issues this.",
)

LABELS = {
    "findings": Text("一、存在情形", "1. Findings"),
    "demands": Text("二、办理要求", "2. What is required"),
    "number": Text("编号", "No."),
    "item": Text("事项", "Item"),
    "sentence": Text("情形", "Finding"),
    "at": Text("时间", "Time"),
    "basis": Text("依据", "Basis"),
    "opinion": Text("意见：", "Opinion: "),
    "notes": Text("附注：", "Notes"),
    "notice_id": Text("通知编号：", "Notice: "),
    "recipients": Text("接收人：", "For the attention of: "),
    "draft": Text("（未编号）", "(not numbered)"),
    "comma": Text("、", ", "),
    "colon": Text("：", ":"),
    "issued": Text("印发", "issued"),
}

DEMANDS = {  # by deadline; the last is for a document without any
    "acknowledge": Text("于{when}前签收本通知", "acknowledge this notice by {when}"),
    "answer": Text(
        "于{when}前书面答复，说明原因、责任和处理情况",
        "answer in writing by {when}: causes, responsibility, what was done",
    ),
    "finish": Text("于{when}前办结，并反馈结果", "finish by {when} and report the outcome"),
    "none": Text("及时处理，并书面反馈结果", "attend to it and report in writing"),
}
ASKED = Text("请你单位：", "You are asked to")
MARKS = Text("一二三四", "abcd")

NOTES = (
    Text(
        "对本通知认定的情形有异议的，可在答复期限届满前向本机关提出申诉，说明理由并附证明材料；"
        "本机关审理后决定撤销、维持或者转报上级。",
        "You may appeal to the issuing body until the answer is due, with reasons and evidence. "
        "It will withdraw the notice, uphold it, or refer the appeal upward.",
    ),
    Text(
        "逾期未签收、未答复或者未办结的，按规定提级处理。",
        "What is not acknowledged, answered or finished in time is escalated.",
    ),
)
