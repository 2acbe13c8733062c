"""Words of the answer page (反馈页), Chinese and English side by side."""

from __future__ import annotations

from detector.verdict import Text

LANGUAGES = {"zh": "zh-CN", "en": "en"}
ACTS = {
    "acknowledge": Text("签收", "Acknowledge"),
    "answer": Text("提交反馈", "Send the answer"),
    "appeal": Text("提出申诉", "Appeal"),
}
DONE = {
    "acknowledge": Text("已签收。", "Acknowledged."),
    "answer": Text("已提交反馈，等待审核。", "Your answer was sent and will be reviewed."),
    "appeal": Text("已提出申诉，等待裁定。", "Your appeal was sent and will be decided."),
}
TITLES = (
    Text("监察提醒", "Reminder"),
    Text("预警通知", "Warning notice"),
    Text("督办通知", "Urging notice"),
    Text("整改通知", "Rectification notice"),
    Text("约谈通知", "Summons"),
)
STATES = {
    "pending": Text("待发", "Pending"), "muted": Text("不提示", "Muted"),
    "issued": Text("已发出", "Issued"), "delivered": Text("已送达", "Delivered"),
    "acknowledged": Text("已签收", "Acknowledged"), "answered": Text("已反馈", "Answered"),
    "accepted": Text("已采纳", "Accepted"), "rejected": Text("已退回", "Returned"),
    "reissued": Text("重新发出", "Issued again"), "appealed": Text("申诉中", "Appealed"),
    "upheld": Text("维持", "Upheld"), "referred": Text("移送上级", "Referred up"),
}  # fmt: skip
LABELS = {
    "subject": Text("对象", "Subject"),
    "state": Text("状态", "State"),
    "issued": Text("发出", "Issued"),
    "acknowledge_by": Text("签收期限", "Acknowledge by"),
    "answer_by": Text("反馈期限", "Answer by"),
    "finish_by": Text("办结期限", "Finish by"),
    "found": Text("发现的问题", "What was found"),
    "remark": Text("监察意见", "Remark of the supervisor"),
    "answer": Text("反馈：核实情况与整改措施", "Your answer: what you found, what you will do"),
    "confirmed": Text("情况属实", "It is as stated"),
    "external_cause": Text("有客观原因", "The cause lies outside the department"),
    "files": Text("附件（可不填）", "Files (optional)"),
    "files_hint": Text(
        "最多 {files} 个，每个不超过 {mib} MB：PDF、图片（JPG、PNG）、Word、Excel、文本",
        "Up to {files}, {mib} MB each: PDF, pictures (JPG, PNG), Word, Excel, text",
    ),
    "unscanned": Text("本系统未启用病毒扫描。", "Files are not scanned for viruses here."),
    "enclosed": Text("已附文件", "Files enclosed so far"),
    "not_scanned": Text("未经病毒扫描", "not scanned"),
    "objection": Text("对本通知有异议", "I object to this notice"),
    "appeal": Text("申诉理由", "Grounds of the appeal"),
    "idle": Text("已收到，正在审核，暂无需操作。", "Received and under review: nothing to do now."),
    "restored": Text("已恢复上次未提交的内容。", "What you had typed before was brought back."),
    "drop": Text("清除", "Clear"),
    "personal": Text(
        "此链接仅供本人办理，请勿转发。", "This link is yours alone: do not pass it on."
    ),
    "kept": Text("您填写的内容", "What you wrote"),
}
FAULTS = {
    "empty_text": Text("请填写内容。", "Please write something."),
    "moved": Text(
        "此通知的状态已变化，未作改动。", "The notice has moved on meanwhile; nothing was changed."
    ),
    "stale_form": Text(
        "页面已过期，内容已保留，请再次提交。",
        "The page was too old. What you wrote is still here: please send it again.",
    ),
    "refused": Text("未被接受，请检查后再次提交。", "It was not accepted: please look it over."),
    "busy": Text(
        "系统繁忙，内容已保留，请稍后再次提交。",
        "The system is busy. What you wrote is still here: please send it again soon.",
    ),
    "late": Text(
        "已收到，正在办理，请稍后刷新查看。", "It was received and is being handled: look later."
    ),
    "too_many": Text("附件不能超过 {files} 个。", "There may be {files} files at most."),
    "too_large": Text("附件“{name}”超过 {mib} MB。", "The file “{name}” is larger than {mib} MB."),
    "all_too_large": Text("附件总量过大。", "The files are too large together."),
    "empty": Text("附件“{name}”是空的。", "The file “{name}” is empty."),
    "unknown_kind": Text(
        "附件“{name}”的类型不受支持（按内容识别）。",
        "The file “{name}” is of a kind that is not taken (told by its content).",
    ),
    "not_clean": Text("附件“{name}”未通过病毒扫描。", "The file “{name}” did not pass the scan."),
    "no_files": Text("此处不接收附件。", "Files are not taken here."),
    "again": Text("请重新选择附件。", "Please choose the files again."),
}
GONE = {
    404: Text("没有此页面。请核对链接是否完整。", "There is no such page: is the link whole?"),
    410: Text(
        "此链接已失效：通知已结束或已重新发出。请使用最新消息中的链接。",
        "The link is no longer valid: the notice has ended or was issued anew. "
        "Use the link of the latest message.",
    ),
}


def told(text: Text, lang: str, **values: object) -> str:
    """A text in one language, with values in its places."""
    said: str = text.en if lang == "en" else text.zh
    return said.format(**values) if values else said
