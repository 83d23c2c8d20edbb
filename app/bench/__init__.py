"""The studio measured: a real window, dragged by a scripted hand, and the rows it gives."""
