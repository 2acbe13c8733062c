"""Results and reasons, as people of the county write them."""

from __future__ import annotations

import numpy as np

from detector.simulate.deeds import OUTCOMES

RESULTS = (*OUTCOMES, "returned")
RETURNED = len(OUTCOMES)
GRANTS = (
    "申请材料齐全，符合法定条件，准予许可",
    "经审查符合法定形式，同意办理",
    "现场核查合格，同意发证",
    "材料真实有效，符合规定，予以确认",
    "符合条件，按程序办结",
    "经集体讨论，同意审核意见",
)
REFUSALS = (  # by result, from `refused` on
    "不符合法定条件，不予许可",
    "主要材料缺失，不予受理",
    "申请人主动撤回，终止办理",
    "申请主体已经注销，原申请作废",
    "申请人逾期未补正，终止办理",
    "申请材料不齐全，退回申请人补正",
)
SHORT_TEXTS = ("不同意", "不符合条件", "见附件。", "不 予 许 可", "材料不全，请补正", "   ", "")
TEN_TEXTS = ("材料不符合法定形式的", "不合 规划要求，不批准", "公示期内有异议未消除")
REASONS = (*GRANTS, *REFUSALS, *SHORT_TEXTS, *TEN_TEXTS)
SHORT = np.arange(len(GRANTS) + len(REFUSALS), len(REASONS) - len(TEN_TEXTS))
TEN = np.arange(len(REASONS) - len(TEN_TEXTS), len(REASONS))


def reasons_of(result: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A reason that gives one, for each result: index into `REASONS`."""
    granted = rng.integers(0, len(GRANTS), len(result))
    told: np.ndarray = np.where(result == 0, granted, len(GRANTS) - 1 + result)
    return told
