"""x"""
def open_parquet(*a): raise NotImplementedError
