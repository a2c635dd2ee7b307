let dateSecond = 0
let dateText = ''

/** The present time for a Date field (RFC 9110 §5.6.7), made once per second. */
export const httpDate = (): string => {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}
